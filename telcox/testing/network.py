"""A network that reports usage and keeps account of it, which the database must match."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from telcox.testing.databases import manage, migrate, rows
from telcox.testing.servers import MariaDB, Redis
from telcox.testing.stack import Stack, production_env

ZONE = ZoneInfo("America/Guayaquil")
# How many days ago the lines' periods began. All reported usage happened since.
BEGUN = 10

# The column of counters and days for each category.
COLUMNS = {
    "SOCIAL": "used_social_bytes",
    "ENTERTAINMENT": "used_entertainment_bytes",
    "SYSTEM_UPDATES": "used_system_updates_bytes",
    "NAVIGATION_SEARCH": "used_navigation_search_bytes",
    "VOICE": "used_voice_seconds",
    "SMS": "used_sms",
}

_MAKE_LINES = """
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from customers.models import Customer, Line, Plan
from billing.sales.services import activate_subscription
from telcox.backoffice.demo import make_login
call_command("loaddata", "catalogue", verbosity=0)
plan = Plan.objects.filter(product_type="MOVIL", on_sale=True).order_by("-validity_days").first()
customer = Customer.objects.create(dni="0912345675", full_name="Red de pruebas")
for number in {numbers!r}:
    line = Line.objects.create(customer=customer, phone_number=number, product_type="MOVIL")
    activate_subscription(line=line, plan=plan, at=timezone.now() - timedelta(days={begun}))
print(make_login().token)
"""


class Network(NamedTuple):
    """Lines of a database, and the API token with which their usage is reported."""

    phone_numbers: list[str]
    token: str

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}"}


def make_network(env: Mapping[str, str], *, lines: int) -> Network:
    numbers = [f"09{number:08d}" for number in range(lines)]
    script = _MAKE_LINES.format(numbers=numbers, begun=BEGUN)
    return Network(numbers, manage(env, "shell", "--verbosity=0", "-c", script).strip())


@contextmanager
def network_stack() -> Iterator[tuple[MariaDB, Stack, Network]]:
    """Start a MariaDB, a Redis and a stack with two `web` processes, and make a network of 60 lines."""
    with MariaDB() as mariadb, Redis() as redis:
        env = production_env(mariadb.url, redis.url)
        migrate(env)
        with Stack(env, live=1) as stack:
            yield mariadb, stack, make_network(stack.env, lines=60)


class Event(NamedTuple):
    """Usage event as it is sent. `event_id` counts up within its source, so one number says how many events
    of a source were sent."""

    phone_number: str
    category: str
    quantity: int
    source: str
    event_id: str
    occurred_at: str

    @property
    def day(self) -> str:
        """Return the local date, in ISO format: `occurred_at` is a local time with its UTC offset."""
        return self.occurred_at[:10]


class Source:
    """Network element: it makes events, each with the next id."""

    def __init__(self, name: str, phone_numbers: Sequence[str], chosen: random.Random) -> None:
        self.name, self._phone_numbers, self._chosen = name, phone_numbers, chosen
        self.made = 0
        today = datetime.now(ZONE).date()
        self._days = [today - timedelta(days=days) for days in range(1, BEGUN)]

    def events(self, count: int) -> list[Event]:
        return [self._event(self._chosen) for _ in range(count)]

    def _event(self, chosen: random.Random) -> Event:
        self.made += 1
        return Event(
            chosen.choice(self._phone_numbers),
            chosen.choice(list(COLUMNS)),
            chosen.randint(1, 1_000),
            self.name,
            numbered(self.made),
            f"{chosen.choice(self._days)}T{chosen.randrange(24):02}:30:00-05:00",
        )


def numbered(number: int) -> str:
    """Return an event_id. As text they sort in the order of their numbers."""
    return f"{number:09d}"


class Account:
    """Sums of usage: by line and category, and by line, local day and category."""

    def __init__(self) -> None:
        self.events = 0
        self.counters: Counter[tuple[str, str]] = Counter()
        self.days: Counter[tuple[str, str, str]] = Counter()

    def book(self, events: Iterable[Event]) -> None:
        for event in events:
            self.events += 1
            self.counters[event.phone_number, event.category] += event.quantity
            self.days[event.phone_number, event.day, event.category] += event.quantity

    def add(self, other: "Account") -> None:
        self.events += other.events
        self.counters.update(other.counters)
        self.days.update(other.days)


# Joins a table `held`, whose rows belong to a subscription, to its line.
_OF_LINE = (
    "held JOIN customers_subscription period ON period.id = held.subscription_id "
    "JOIN customers_line line ON line.id = period.line_id"
)


def held_by(database_url: str) -> Account:
    """Return what the database holds: the number of events, and the sums of counters and days."""
    columns = ", ".join(f"held.{column}" for column in COLUMNS.values())
    counters = f"SELECT line.phone_number, {columns} FROM usage_usagecounter {_OF_LINE}"
    days = f"SELECT line.phone_number, held.day, {columns} FROM usage_usageday {_OF_LINE}"
    held = Account()
    ((held.events,),) = rows(database_url, "SELECT COUNT(*) FROM usage_usageevent")
    for number, *sums in rows(database_url, counters):
        for category, amount in zip(COLUMNS, sums, strict=True):
            held.counters[number, category] += amount
    for number, day, *sums in rows(database_url, days):
        for category, amount in zip(COLUMNS, sums, strict=True):
            held.days[number, day.isoformat(), category] += amount
    return held


def events_held(database_url: str) -> tuple[Counter[tuple[str, str]], int]:
    """Return the sums of the database's events by line and category, and the number of different keys."""
    by_category = f"SELECT line.phone_number, category, SUM(quantity) FROM usage_usageevent {_OF_LINE}"
    sums = {
        (number, category): int(total)
        for number, category, total in rows(database_url, f"{by_category} GROUP BY 1, 2")
    }
    ((keys,),) = rows(database_url, "SELECT COUNT(DISTINCT source, event_id) FROM usage_usageevent")
    return Counter(sums), keys


def counted_up_to(database_url: str, acknowledged: Mapping[str, int]) -> dict[str, int]:
    """Return, for each source, how many of its first events, up to the acknowledged number, are in the
    database."""
    count = "SELECT COUNT(*) FROM usage_usageevent WHERE source = %s AND event_id <= %s"
    return {
        source: rows(database_url, count, source, numbered(number))[0][0]
        for source, number in acknowledged.items()
    }
