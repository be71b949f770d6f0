"""SQL that writes usage, each statement for many rows at once.

The SQL for sums is hand-written, because the ORM's upsert can only overwrite a column with the new value, and
reading before writing is either a race or, on a row that does not exist yet, a deadlock (two inserts that
each wait for the other's lock). The SQL for events is hand-written, because the ORM and the driver need more
processor time to convert them to SQL than everything else takes. Numbers, names of this project, and text
that only has letters, digits and a few signs (`is_plain`) are written into the statement; any other text from
outside is a parameter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain
from typing import NamedTuple

from django.db import connection

from telcox.common.database.bulk import (
    ROWS_AT_ONCE,
    chunks,
    date_literal,
    is_plain,
    moment_literal,
    placeholders,
)
from usage.ingestion.values import COLUMNS, Amounts, Held
from usage.models import UsageAlert, UsageCounter, UsageDay, UsageEvent
from usage.vocabulary import COUNTER_MAX

_EVENTS = (
    f"INSERT INTO {UsageEvent._meta.db_table} "  # noqa: S608
    "(source, event_id, subscription_id, category, quantity, occurred_at, ingested_at) VALUES "
)
_HELD = ", ".join(["subscription_id", "purged_before", "closed_at", *COLUMNS])


def insert_events(rows: Sequence[tuple[str, str, int, str, int, datetime]], at: datetime) -> None:
    """Insert rows of source, event_id, subscription, category, quantity and time. Raise IntegrityError if a
    key is taken."""
    received = moment_literal(at)
    with connection.cursor() as cursor:
        for chunk in chunks(rows, ROWS_AT_ONCE):
            plain = is_plain(chain.from_iterable(row[:2] for row in chunk))
            keys = [f"'{row[0]}','{row[1]}'" for row in chunk] if plain else ["%s,%s"] * len(chunk)
            values = ",".join(
                [
                    f"({key},{subscription_id},'{category}',{quantity},{moment_literal(occurred_at)},{received})"
                    for key, (_, _, subscription_id, category, quantity, occurred_at) in zip(
                        keys, chunk, strict=True
                    )
                ]
            )
            cursor.execute(_EVENTS + values, None if plain else [text for row in chunk for text in row[:2]])


class Counted(NamedTuple):
    """Counters after something was added to them: what they hold, and of those that have one, `purged_before`
    and `closed_at`."""

    held: dict[int, Held]
    purged: dict[int, date]
    closed: dict[int, datetime]


@cache
def _upsert(vendor: str, table: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, str]:
    """Return the text before and after the values of an upsert that adds."""
    head = f"INSERT INTO {table} ({', '.join([*keys, *columns])}) VALUES "  # noqa: S608
    if vendor == "mysql":
        # VALUES() is the one form that MariaDB and MySQL share.
        sums = ", ".join(f"{column} = {column} + VALUES({column})" for column in columns)
        return head, f" ON DUPLICATE KEY UPDATE {sums}"
    sums = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in columns)
    return head, f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"


def _touched(amounts: Collection[Amounts]) -> list[int]:
    """Return the columns to which something is added, as positions in COLUMNS. The others are left out: they
    are usually half, and each column costs time in every row."""
    return [position for position in range(len(COLUMNS)) if any(sums[position] for sums in amounts)]


def add_to_counters(amounts: Mapping[int, Amounts], changes: Mapping[int, int]) -> Counted:
    """Add to the counters of subscriptions, and create missing rows. Return what the counters hold after it.

    The rows stay locked until the transaction ends, so the result is of this change and of no later one. Rows
    are locked in the order of their keys, so that two batches wait for each other and do not deadlock. Raise
    IntegrityError if a counter would exceed COUNTER_MAX.
    """
    table, touched = UsageCounter._meta.db_table, _touched(amounts.values())
    columns = (*(COLUMNS[position] for position in touched), "version")
    head, tail = _upsert(connection.vendor, table, ("subscription_id",), columns)
    # MariaDB and SQLite return the new rows (RETURNING); MySQL needs a second query.
    answers = connection.features.can_return_columns_from_insert
    held: dict[int, Held] = {}
    purged: dict[int, date] = {}
    closed: dict[int, datetime] = {}
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(amounts), ROWS_AT_ONCE):
            values = ",".join([f"({key},{_numbers(amounts[key], touched)},{changes[key]})" for key in chunk])
            cursor.execute(f"{head}{values}{tail}{f' RETURNING {_HELD}' if answers else ''}")
            if not answers:
                cursor.execute(
                    f"SELECT {_HELD} FROM {table} WHERE subscription_id IN {placeholders(len(chunk))}",  # noqa: S608
                    chunk,
                )
            for row in cursor.fetchall():
                key, purged_before, closed_at = row[:3]
                held[key] = row[3:]
                # SQLite returns text.
                if purged_before is not None:
                    purged[key] = date.fromisoformat(str(purged_before))
                if closed_at is not None:
                    closed[key] = datetime.fromisoformat(str(closed_at)).replace(tzinfo=UTC)
    return Counted(held, purged, closed)


def add_to_days(amounts: Mapping[tuple[int, date], Amounts]) -> None:
    touched = _touched(amounts.values())
    columns = tuple(COLUMNS[position] for position in touched)
    head, tail = _upsert(connection.vendor, UsageDay._meta.db_table, ("subscription_id", "day"), columns)
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(amounts), ROWS_AT_ONCE):
            values = ",".join(
                [f"({key[0]},{date_literal(key[1])},{_numbers(amounts[key], touched)})" for key in chunk]
            )
            cursor.execute(f"{head}{values}{tail}")


def _numbers(amounts: Amounts, touched: Sequence[int]) -> str:
    return ",".join([str(amounts[position]) for position in touched])


def write_alerts(alerts: Sequence[UsageAlert]) -> None:
    """Insert alerts. An alert that was raised before, when the allowance was smaller, gets the new time."""
    names_target = connection.features.supports_update_conflicts_with_target
    UsageAlert.objects.bulk_create(
        alerts,
        update_conflicts=True,
        update_fields=["crossed_at"],
        unique_fields=["subscription", "resource", "threshold"] if names_target else None,
    )


def room_in_counters(subscription_ids: Iterable[int]) -> dict[int, Amounts]:
    """Return how much more each counter can hold, without subscriptions that have no counter."""
    rows = UsageCounter.objects.filter(pk__in=list(subscription_ids)).values_list("pk", *COLUMNS)
    return {key: [COUNTER_MAX - held for held in sums] for key, *sums in rows}


# --- Moving usage to the next period. The counters are locked, so sums and days may be overwritten.


def close_counters(until: Mapping[int, datetime]) -> None:
    """Set `closed_at` of the counters of these subscriptions, and create missing rows. The rows stay locked
    until the transaction ends: usage that is being counted waits, and then finds its counter closed."""
    head = f"INSERT INTO {UsageCounter._meta.db_table} (subscription_id, closed_at) VALUES "  # noqa: S608
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(until.items()), ROWS_AT_ONCE):
            values = ",".join([f"({key},{moment_literal(at)})" for key, at in chunk])
            cursor.execute(head + values + _replacing(("subscription_id",), ("closed_at",)))


def overwrite_counters(rows: Iterable[tuple[int, ...]]) -> None:
    """Set `version`, `moved_events` and the sums of these counters: rows of subscription, and the values."""
    columns = ("version", "moved_events", *COLUMNS)
    table = UsageCounter._meta.db_table
    _overwrite(
        table, ("subscription_id",), columns, [",".join([str(each) for each in row]) for row in sorted(rows)]
    )


def overwrite_days(rows: Iterable[tuple[int, date, Amounts]]) -> None:
    """Set the sums of these days: rows of subscription, day and sums."""
    every = range(len(COLUMNS))
    texts = [f"{key},{date_literal(day)},{_numbers(sums, every)}" for key, day, sums in sorted(rows)]
    _overwrite(UsageDay._meta.db_table, ("subscription_id", "day"), tuple(COLUMNS), texts)


def _overwrite(table: str, keys: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[str]) -> None:
    head = f"INSERT INTO {table} ({', '.join([*keys, *columns])}) VALUES "  # noqa: S608
    with connection.cursor() as cursor:
        for chunk in chunks(rows, ROWS_AT_ONCE):
            values = ",".join([f"({row})" for row in chunk])
            cursor.execute(head + values + _replacing(keys, columns))


def _replacing(keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Return the end of an upsert that sets these columns."""
    if connection.vendor == "mysql":
        return f" ON DUPLICATE KEY UPDATE {', '.join(f'{name} = VALUES({name})' for name in columns)}"
    names = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {names}"


def move_events(keys: Sequence[int], following: Mapping[int, int]) -> None:
    """Give these events, by primary key, to the subscription that follows theirs."""
    cases = " ".join([f"WHEN {old} THEN {new}" for old, new in following.items()])
    head = f"UPDATE {UsageEvent._meta.db_table} SET subscription_id = CASE subscription_id {cases} END"  # noqa: S608
    with connection.cursor() as cursor:
        for chunk in chunks(sorted(keys)):
            cursor.execute(f"{head} WHERE id IN ({','.join([str(key) for key in chunk])})")
