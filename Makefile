# Short names for the project's commands, most of which are scripts in bin/.
# Variables: PORT=8080 make run   DATABASE_URL=... REDIS_URL=... make stack   ARGS="-k invoice" make test

.DEFAULT_GOAL := help
.PHONY: help run test test-ahead nightly simulate endure endure-billing stack bench fmt lint lock migrations ci clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Try it: everything on SQLite, with demo data, at http://127.0.0.1:8000 (PORT=)
	@bin/run

test: ## The whole suite: on SQLite, then on a MariaDB and Redis of its own (ARGS= for pytest)
	@bin/test $(ARGS)

test-ahead: ## The in-process half of the suite on another day, in another time zone (CLOCK=, ARGS= for pytest)
	@bin/test-ahead $(ARGS)

nightly: ## The property tests of money at 10,000 examples each (ARGS= for pytest)
	@bin/venv dev
	@HYPOTHESIS_PROFILE=nightly .venv/bin/python -m pytest --timeout=0 billing/tests/test_rating_properties.py $(ARGS)

simulate: ## A made-up operator, 1,000 lines for 24 months, and everything adds up (ARGS="--seed 8")
	@bin/venv dev
	@MARIADB_BUFFER_POOL=1G MARIADB_LOG_FILE=512M bin/with-servers env REDIS_URL= LOG_LEVEL=ERROR DEBUG=0 ALLOWED_HOSTS=localhost \
		SECRET_KEY=made-up-as-everything-here-and-of-no-use-to-anybody \
		sh -c '.venv/bin/python manage.py migrate -v0 && exec .venv/bin/python manage.py simulate_operator "$$@"' simulate $(ARGS)

endure: ## Promise 1 at length: 100 times kill -9, a minute of clients that collide (ROUNDS=, SECONDS=)
	@bin/venv dev
	@ENDURE_ROUNDS=$(or $(ROUNDS),100) ENDURE_SECONDS=$(or $(SECONDS),60) \
		bin/with-servers .venv/bin/python -m pytest -s usage/tests/test_endurance.py $(ARGS)

endure-billing: ## Billing runs: 50 times kill -9 of workers, web and MariaDB, and it all comes to the same (ROUNDS=)
	@bin/venv dev
	@ENDURE_ROUNDS=$(or $(ROUNDS),50) \
		bin/with-servers .venv/bin/python -m pytest -s billing/tests/test_run_endurance.py $(ARGS)

stack: ## Production without Docker: web, live, worker, beat and proxy on PORT, with DATABASE_URL and REDIS_URL or its own
	@bin/stack

bench: ## What it can carry: one table, measured now on this machine
	@bin/venv dev
	@MARIADB_BUFFER_POOL=2G MARIADB_LOG_FILE=1G bin/with-servers .venv/bin/python -m benchmarks $(ARGS)

fmt: ## Format the code and mend what can be mended
	@bin/lint --fix

lint: ## Format, lint and types, changing nothing
	@bin/lint

lock: ## Write the lock files for changed requirements (ARGS=--upgrade: newest versions of what those need)
	@bin/lock $(ARGS)

migrations: ## Write migrations for changed models (NAME=add_something)
	@bin/venv
	@.venv/bin/python manage.py makemigrations $(if $(NAME),--name $(NAME))

ci: ## Everything a change has to pass
	@.ci/run

clean: ## Remove what was made here, except the database
	rm -rf .venv staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis
