# Short names for the project's commands, most of which are scripts in bin/.
# Variables: PORT=8080 make run   DATABASE_URL=... REDIS_URL=... make stack   ARGS="-k invoice" make test

.DEFAULT_GOAL := help
.PHONY: help run test test-ahead nightly mutants simulate endure endure-billing stack bench fmt lint lock migrations ci clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Try TelcoX: everything on SQLite, with demo data, at http://127.0.0.1:8000 (PORT=)
	@bin/run

test: ## Run the whole test suite: on SQLite, then on a throw-away MariaDB and Redis (ARGS= for pytest)
	@bin/test $(ARGS)

test-ahead: ## Run the in-process half of the suite on another day, in another time zone (CLOCK=, ARGS= for pytest)
	@bin/test-ahead $(ARGS)

nightly: ## Run the property tests of rating and of time with 10,000 examples each, and a sample of mutants (ARGS= for pytest)
	@bin/venv dev
	@HYPOTHESIS_PROFILE=nightly .venv/bin/python -m pytest --timeout=0 -n auto --dist load \
		billing/tests/test_rating_properties.py billing/tests/test_time_properties.py $(ARGS); \
		properties=$$?; bin/mutants && exit $$properties

mutants: ## Change the code, one change at a time, and see which tests notice (ARGS="--all billing/settling")
	@bin/venv dev
	@bin/mutants $(ARGS)

simulate: ## Simulate an operator with 1,000 lines for 24 months, and verify the result (ARGS="--seed 8")
	@bin/venv dev
	@MARIADB_BUFFER_POOL=1G MARIADB_LOG_FILE=512M bin/with-servers env REDIS_URL= LOG_LEVEL=ERROR DEBUG=0 ALLOWED_HOSTS=localhost \
		SECRET_KEY=only-for-a-simulation-on-throw-away-servers-000000 \
		sh -c '.venv/bin/python manage.py migrate -v0 && exec .venv/bin/python manage.py simulate_operator "$$@"' simulate $(ARGS)

endure: ## Endurance test of usage: 100 times kill -9, and a minute of colliding clients (ROUNDS=, SECONDS=)
	@bin/venv dev
	@ENDURE_ROUNDS=$(or $(ROUNDS),100) ENDURE_SECONDS=$(or $(SECONDS),60) \
		bin/with-servers .venv/bin/python -m pytest -s usage/tests/test_endurance.py $(ARGS)

endure-billing: ## Endurance test of billing runs: 50 times kill -9 of workers, web and MariaDB (ROUNDS=)
	@bin/venv dev
	@ENDURE_ROUNDS=$(or $(ROUNDS),50) \
		bin/with-servers .venv/bin/python -m pytest -s billing/tests/test_run_endurance.py $(ARGS)

stack: ## Run production without Docker: all processes and a proxy on PORT (DATABASE_URL= and REDIS_URL=, or throw-away servers)
	@bin/stack

bench: ## Measure throughput and latency on this machine, in one table (ARGS=--quick)
	@bin/venv dev
	@MARIADB_BUFFER_POOL=2G MARIADB_LOG_FILE=1G bin/with-servers .venv/bin/python -m benchmarks $(ARGS)

fmt: ## Format the code, and fix what can be fixed automatically
	@bin/lint --fix

lint: ## Check format, lint and types, without changes
	@bin/lint

lock: ## Write the lock files for changed requirements (ARGS=--upgrade: newest versions of their dependencies)
	@bin/lock $(ARGS)

migrations: ## Write migrations for changed models (NAME=add_something)
	@bin/venv
	@.venv/bin/python manage.py makemigrations $(if $(NAME),--name $(NAME))

ci: ## Run everything that a change has to pass
	@.ci/run

clean: ## Remove generated files, except the database
	rm -rf .venv staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis
