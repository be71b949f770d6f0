"""SQL that writes usage, each statement for many rows at once.

The SQL for sums is hand-written, because the ORM's upsert can only overwrite a column with the new value, and
reading before writing is either a race or, on a row that does not exist yet, a deadlock (two inserts that
each wait for the other's lock). The SQL for events is hand-written, because the ORM and the driver need more
processor time to convert them to SQL than everything else takes. Numbers, names of this project, and text
that only has letters, digits and a few signs (`is_plain`) are written into the statement; any other text from
outside is a parameter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import chain

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
_HELD = ", ".join(["subscription_id", "purged_before", *COLUMNS])


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


def add_to_counters(
    amounts: Mapping[int, Amounts], changes: Mapping[int, int]
) -> tuple[dict[int, Held], dict[int, date]]:
    """Add to the counters of subscriptions, and create missing rows. Return what the counters hold after it
    and, of those that have it, `purged_before`.

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
                key, purged_before = row[:2]
                held[key] = row[2:]
                if purged_before is not None:
                    purged[key] = date.fromisoformat(str(purged_before))  # SQLite returns text
    return held, purged


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
