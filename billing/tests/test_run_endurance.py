"""Killed at moments nobody chose, and resumed, runs come to what undisturbed ones come to: on a database of
their own, by real workers, begun and resumed by a real `web`.

In the suite a few times; `make endure-billing` fifty. ENDURE_SEED, which is printed, makes the same choices
again.
"""

import os
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from threading import Thread
from typing import Any

import pytest

from billing.tests.months import months
from telcox.testing.clients import ask
from telcox.testing.databases import connected, manage, migrate, rows
from telcox.testing.processes import wait_until
from telcox.testing.servers import MariaDB, Redis
from telcox.testing.stack import Background, Served, production_env

ROUNDS = int(os.environ.get("ENDURE_ROUNDS", 3))
SEED = int(os.environ.get("ENDURE_SEED", 0)) or secrets.randbelow(10**9)
LINES = 2_000
# Of one run, so that it is through some time; and most of them meet it under way.
KILLS_OF_A_RUN = 4
MONTHS = 2 + ROUNDS // 2
# More than a run takes on a busy machine.
PATIENCE = 180.0

pytestmark = [
    pytest.mark.processes,
    pytest.mark.mariadb,
    pytest.mark.redis,
    pytest.mark.timeout(600 + 60 * ROUNDS),
]

AN_OPERATOR = "from billing.tests.months import an_operator; an_operator(lines={lines}, months_each={months})"
UNDISTURBED = "from billing.tests.months import bill_undisturbed; bill_undisturbed({months})"
ACCOUNT = "from billing.tests.months import account; print('\\n'.join(account()))"
LOG_IN = (
    "from django.contrib.auth.models import User; from django.test import Client; client = Client();"
    "client.force_login(User.objects.create_superuser('ana')); print(client.cookies['sessionid'].value)"
)
CSRF = "c" * 32


def shell(env: dict[str, str], code: str) -> str:
    return manage(env, "shell", "--verbosity=0", "-c", code).strip()


class Office:
    """A `web` and two workers on servers of their own, and somebody who is logged in."""

    def __init__(self, mariadb: MariaDB, env: dict[str, str], web: Served, workers: list[Background]) -> None:
        self.mariadb, self.env, self.web, self.workers = mariadb, env, web, workers
        self.session = shell(env, LOG_IN)

    def send(self, page: str, **given: str) -> Any:
        body = "&".join(f"{name}={value}" for name, value in {**given, "csrfmiddlewaretoken": CSRF}.items())
        headers = {
            "Cookie": f"sessionid={self.session}; csrftoken={CSRF}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return ask(
            self.web.port, "POST", f"/admin/billing/billingrun/{page}", body=body.encode(), headers=headers
        )

    def add(self, period: str) -> int:
        wait_until(lambda: self.send("add/", period=period).status == 302, 30, "the run is added")
        [(key,)] = rows(self.mariadb.url, "SELECT id FROM billing_billingrun WHERE period = %s", period)
        return int(key)

    def press(self, run: int, step: str) -> None:
        """And wait for nothing: whoever is asked may be killed meanwhile."""

        def ask_for_it() -> None:
            with suppress(OSError):
                self.send(f"{run}/steps/{step}/")

        Thread(target=ask_for_it, daemon=True).start()

    def is_in(self, run: int, state: str) -> bool:
        return rows(self.mariadb.url, "SELECT state FROM billing_billingrun WHERE id = %s", run) == [(state,)]

    def resume(self, run: int) -> None:
        """However often it takes: it may have been killed before it was begun at all, and who asks just when
        the database is back may still be told to come later."""
        wait_until(partial(self._resumed, run), 30, "somebody takes the order")

    def _resumed(self, run: int) -> bool:
        step = "start" if self.is_in(run, "NEW") else "resume"
        answer = self.send(f"{run}/steps/{step}/")
        assert answer.status in (302, 503), answer
        return bool(answer.status == 302)


class Killer:
    """`kills` by kind, and those of them that met a run under way (`hits`)."""

    def __init__(self, office: Office, chosen: random.Random) -> None:
        self.office, self._chosen = office, chosen
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()

    def kill(self, run: int) -> None:
        victim: Any = self._chosen.choice([*self.office.workers, self.office.web, self.office.mariadb])
        busy = self.office.is_in(run, "RUNNING")
        victim.kill()
        self.kills[victim.name] += 1
        self.hits[victim.name] += busy
        victim.start()


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with ExitStack() as stack:
        mariadb, redis = stack.enter_context(MariaDB()), stack.enter_context(Redis())
        env = production_env(mariadb.url, redis.url)
        migrate(env)
        shell(env, AN_OPERATOR.format(lines=LINES, months=MONTHS))
        manage({**env, "STATIC_ROOT": str(mariadb.folder / "static")}, "collectstatic", "--noinput", "-v0")
        env["STATIC_ROOT"] = str(mariadb.folder / "static")
        web = stack.enter_context(Served("web", env))
        workers = [stack.enter_context(Background("worker", env)) for _ in range(2)]
        yield Office(mariadb, env, web, workers)


def test_whatever_is_killed_every_period_has_one_invoice(office: Office) -> None:
    chosen = random.Random(SEED)
    killer, done = Killer(office, chosen), 0
    while killer.hits.total() < ROUNDS and done < MONTHS:
        month = months(MONTHS)[done]
        run = office.add(month)
        office.press(run, "start")
        for _ in range(KILLS_OF_A_RUN):
            time.sleep(chosen.uniform(0.05, 0.7))  # a run takes about a second
            if office.is_in(run, "DONE"):
                break
            killer.kill(run)
            office.resume(run)
        wait_until(partial(office.is_in, run, "DONE"), PATIENCE, f"{month} is done")
        done += 1
    sys.stdout.write(
        f"\nENDURE_SEED={SEED}: kills {dict(killer.kills)}, of which while a run was under way "
        f"{dict(killer.hits)}, of {done} runs\n"
    )
    assert killer.hits.total() >= ROUNDS / 2
    disturbed = shell(office.env, ACCOUNT).splitlines()
    assert disturbed == account_of_undisturbed(office, done)
    assert disturbed[1] == "gapless True"
    assert all(line.split()[1] == "DONE" and line.endswith("True True") for line in disturbed[2:])


def account_of_undisturbed(office: Office, months: int) -> list[str]:
    with connected(office.mariadb.url) as connection:
        connection.cursor().execute("CREATE DATABASE undisturbed")
    address, _, _name = office.mariadb.url.rpartition("/")
    env = {**office.env, "DATABASE_URL": f"{address}/undisturbed"}
    migrate(env)
    shell(env, AN_OPERATOR.format(lines=LINES, months=MONTHS))
    shell(env, UNDISTURBED.format(months=months))
    return shell(env, ACCOUNT).splitlines()
