"""Tasks: done by a real `worker`, sent by a real `beat`, whatever is killed meanwhile."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from celery import Celery

from telcox.common import heartbeat
from telcox.testing.databases import connected, manage, rows
from telcox.testing.embedded import JESUS, demo_env
from telcox.testing.processes import ROOT, wait_until
from telcox.testing.servers import Redis
from telcox.testing.stack import Background, production_env

pytestmark = pytest.mark.processes

with_servers = [pytest.mark.mariadb, pytest.mark.redis]

# More than any of this takes on a busy machine.
PATIENCE = 60.0

SEND_FROM_ANOTHER_PROCESS = "from billing.tasks import run_day; run_day.delay()"
END_PERIODS = (
    "UPDATE customers_subscription "
    "SET start_at = UTC_TIMESTAMP() - INTERVAL 40 DAY, expiration_at = UTC_TIMESTAMP() - INTERVAL 10 DAY, "
    "cycle_start_at = UTC_TIMESTAMP() - INTERVAL 40 DAY, cycle_end_at = UTC_TIMESTAMP() - INTERVAL 10 DAY"
)
PERIODS = (
    "SELECT COUNT(*), MAX(expiration_at) > UTC_TIMESTAMP() FROM customers_subscription period "
    "JOIN customers_line line ON line.id = period.line_id WHERE phone_number = %s"
)
# Not innodb_trx, which whoever asks often is answered from a cache.
WAITING = "SELECT id FROM information_schema.processlist WHERE info LIKE '%FOR UPDATE' AND db = DATABASE()"


class Office:
    """A database with demo data and a Redis, for processes that do what is due."""

    def __init__(self, redis: Redis, env: dict[str, str]) -> None:
        self.redis, self.env, self.url = redis, env, env["DATABASE_URL"]

    def end_periods(self) -> None:
        with connected(self.url) as connection:
            connection.cursor().execute(END_PERIODS)
            connection.commit()

    def send(self) -> None:
        with Celery(broker=self.redis.url, set_as_current=False) as app:
            app.send_task("billing.tasks.run_day")

    def periods(self) -> int:
        return int(rows(self.url, PERIODS, JESUS)[0][0])

    def is_renewed(self) -> bool:
        return bool(rows(self.url, PERIODS, JESUS)[0][1])

    def wait_until_renewed(self) -> None:
        wait_until(self.is_renewed, PATIENCE, "the next period has begun")

    def waiting(self) -> set[int]:
        """The connections that wait for a lock."""
        return {connection for (connection,) in rows(self.url, WAITING)}

    def wait_for_another(self, known: set[int]) -> set[int]:
        """Until a task, on a connection of its own, waits for what is locked."""
        wait_until(lambda: self.waiting() - known, PATIENCE, "a task is under way")
        return self.waiting()

    @contextmanager
    def task_under_way(self) -> Iterator[set[int]]:
        """A task that has begun and does not end as long as this lasts; and on which connection."""
        self.end_periods()
        with connected(self.url) as connection:
            connection.cursor().execute("SELECT id FROM customers_line FOR UPDATE")
            self.send()
            yield self.wait_for_another(set())


Start = Callable[..., Background]


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: Any, django_db_blocker: Any
) -> Iterator[Office]:
    with django_db_blocker.unblock(), Redis() as redis:
        production = production_env("", redis.url)
        del production["DATABASE_URL"]
        with demo_env(tmp_path_factory.mktemp("office"), **production) as env:
            yield Office(redis, env)


@pytest.fixture
def start(office: Office) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(kind: Literal["worker", "beat"] = "worker", **settings: str) -> Background:
            return stack.enter_context(Background(kind, {**office.env, **settings}))

        yield start


def children(process: Background) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def log_of(process: Background) -> str:
    return (process.folder / "log").read_text()


class TestAWorker:
    pytestmark = with_servers

    def test_it_does_what_another_process_has_sent(self, office: Office, start: Start) -> None:
        start()
        office.end_periods()
        manage(office.env, "shell", "--verbosity=0", "-c", SEND_FROM_ANOTHER_PROCESS)
        office.wait_until_renewed()

    def test_what_was_sent_before_it_was_started_is_done_as_well(self, office: Office, start: Start) -> None:
        office.end_periods()
        office.send()
        start()
        office.wait_until_renewed()

    def test_a_task_whose_process_is_killed_is_begun_again_by_another(
        self, office: Office, start: Start
    ) -> None:
        worker = start()
        with office.task_under_way() as first:
            [child] = children(worker)
            os.kill(child, signal.SIGKILL)
            office.wait_for_another(first)
        office.wait_until_renewed()

    def test_a_task_that_went_with_the_whole_worker_is_done_when_it_is_sent_again(
        self, office: Office, start: Start
    ) -> None:
        worker = start()
        with office.task_under_way():
            worker.kill()
        worker.start()
        office.send()
        office.wait_until_renewed()

    def test_it_goes_on_when_redis_has_lost_everything(self, office: Office, start: Start) -> None:
        worker = start()
        with office.task_under_way():
            office.redis.kill()
            office.redis.start()
        office.wait_until_renewed()
        office.end_periods()
        office.send()
        office.wait_until_renewed()
        assert worker.running

    def test_it_goes_on_when_redis_had_stood_still(self, office: Office, start: Start) -> None:
        start()
        try:
            with office.task_under_way():
                os.kill(office.redis.pid, signal.SIGSTOP)
            office.wait_until_renewed()  # and it cannot say so
        finally:
            os.kill(office.redis.pid, signal.SIGCONT)
        office.end_periods()
        office.send()
        office.wait_until_renewed()

    def test_its_log_is_ours_and_names_no_subscriber(self, office: Office, start: Start) -> None:
        worker = start()
        office.end_periods()
        office.send()
        office.wait_until_renewed()
        wait_until(lambda: "succeeded" in log_of(worker), PATIENCE, "it has said so")
        log = log_of(worker)
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert "billing.tasks.run_day" in lines[-1]["message"]
        # Nothing of what a task was told (Celery would add it), and nothing in Celery's own form.
        assert {tuple(line) for line in lines} == {("time", "level", "logger", "request_id", "message")}
        assert "/MainProcess]" not in log
        assert JESUS not in log


class TestStoppingAWorker:
    pytestmark = with_servers

    def test_with_nothing_to_do_it_ends(self, start: Start) -> None:
        worker = start()
        worker.terminate()
        assert worker.wait(PATIENCE) == 0

    def test_the_task_under_way_is_finished(self, office: Office, start: Start) -> None:
        worker = start(WORKER_STOP_SECONDS=str(PATIENCE))
        with office.task_under_way():
            worker.terminate()
            wait_until(lambda: "Warm shutdown" in log_of(worker), PATIENCE, "it has heard")
        assert worker.wait(PATIENCE) == 0
        assert office.is_renewed()

    def test_what_takes_too_long_is_left_to_another_worker(self, office: Office, start: Start) -> None:
        worker = start(WORKER_STOP_SECONDS="1")
        with office.task_under_way():
            worker.terminate()
            assert worker.wait(PATIENCE) == 0
            assert not office.is_renewed()
        start()
        office.wait_until_renewed()


class TestBeat:
    pytestmark = with_servers

    def test_two_of_them_and_two_workers_begin_each_period_once(self, office: Office, start: Start) -> None:
        office.end_periods()
        before = office.periods()
        for _ in range(2):
            start()
            start("beat", DJANGO_SETTINGS_MODULE="telcox.testing.every_second")
        office.wait_until_renewed()
        assert office.periods() == before + 1

    def test_it_sends_again_what_redis_has_lost(self, office: Office, start: Start) -> None:
        beat = start("beat", DJANGO_SETTINGS_MODULE="telcox.testing.every_second")
        office.redis.kill()
        wait_until(lambda: "onnection" in log_of(beat), PATIENCE, "it has noticed")
        office.redis.start()
        office.end_periods()
        start()
        office.wait_until_renewed()
        assert beat.running

    def test_it_keeps_no_file_and_ends_when_it_is_asked_to(self, start: Start) -> None:
        beat = start("beat")
        assert {path.name for path in beat.folder.iterdir()} == {"log", f"telcox-beat-{os.getuid()}"}
        assert not list(ROOT.glob("celerybeat*"))
        beat.terminate()
        assert beat.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["worker", "beat"])
def test_without_redis_neither_starts_and_it_says_why(kind: str) -> None:
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run([ROOT / "bin" / kind], env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "REDIS_URL" in done.stderr


def test_a_process_is_well_as_long_as_it_shows_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_healthy(kind: str) -> bool:
        env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
        return not subprocess.run([ROOT / "bin" / "healthy", kind], env=env, check=False).returncode

    monkeypatch.setattr(heartbeat.tempfile, "gettempdir", lambda: str(tmp_path))
    assert not is_healthy("worker")
    heartbeat.beat("worker")
    assert is_healthy("worker")
    assert not is_healthy("beat")
    [file] = tmp_path.iterdir()
    long_ago = file.stat().st_mtime - heartbeat.SILENT_SECONDS - 1
    os.utime(file, (long_ago, long_ago))
    assert not is_healthy("worker")
