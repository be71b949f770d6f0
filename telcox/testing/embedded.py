"""The embedded server (`make run`) with demo data, for tests over real sockets."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from telcox.testing.clients import ask, post_json, watch
from telcox.testing.databases import Shell, fill_demo, fresh_database
from telcox.testing.stack import Served

JESUS, BRUNO, CARLA = "0969786985", "0923456789", "0934567890"


class Embedded:
    """Client of a server, with a shell on its database."""

    def __init__(self, server: Served) -> None:
        self.server, self.port, self.env = server, server.port, server.env
        self._shell = Shell(server.env)

    def report(self, phone_number: str = JESUS, quantity: int = 1, **fields: Any) -> dict[str, Any]:
        """Report data usage in bytes, and return the snapshot after it."""
        event = {"phone_number": phone_number, "category": "SOCIAL", "bytes": quantity, **fields}
        answer = post_json(self.port, "/api/dev/usage-event", event)
        assert answer.status == 202, answer
        snapshot: dict[str, Any] = answer.body["snapshot"]
        return snapshot

    def report_all(self, *reports: tuple[str, str, int]) -> None:
        """Report usage in one batch: phone number, category and quantity of each."""
        batch = [
            {"phone_number": phone_number, "category": category, "quantity": quantity}
            for phone_number, category, quantity in reports
        ]
        answer = post_json(self.port, "/api/usage/events", batch)
        assert (answer.status, answer.body["applied"]) == (200, len(batch)), answer

    def watch(self, phone_number: str = JESUS) -> ClientConnection:
        return watch(self.port, f"phone_number={phone_number}")

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = ask(self.port, "GET", "/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    def sockets(self) -> int:
        return int(self.metric("telcox_live_sockets"))

    def shell(self, code: str) -> str:
        """Return what the code printed, run by another process on the server's database."""
        return self._shell.run(code)

    def close(self) -> None:
        self._shell.close()

    def renew(self, phone_number: str) -> None:
        """End the line's period now and begin its next one, with no usage."""
        self.shell(
            "from customers.models import Line, Subscription;"
            "from billing.sales.renewal import renew_subscriptions;"
            "from django.utils import timezone; now = timezone.now();"
            f"lines = Line.objects.filter(phone_number={phone_number!r}); lines.update(auto_renew=True);"
            "Subscription.objects.current().filter(line__in=lines).update(expiration_at=now);"
            "renew_subscriptions(at=now)"
        )


@contextmanager
def demo_env(folder: Path, **settings: str) -> Iterator[dict[str, str]]:
    """Create a database with demo data, and yield the environment for a server on it."""
    with fresh_database(folder) as url:
        env = {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "1", "LIVE_RESYNC_SECONDS": "0.3", **settings}
        fill_demo(env)
        yield env


def serve(folder: Path, **settings: str) -> Iterator[Embedded]:
    with demo_env(folder, **settings) as env, Served("live", env) as server, closing(Embedded(server)) as it:
        yield it


def frames_until_quiet(connection: ClientConnection, seconds: float) -> Iterator[Any]:
    """Yield frames until none has come for `seconds`."""
    while True:
        try:
            yield json.loads(connection.recv(timeout=seconds))
        except TimeoutError:
            return
