"""Adding to a counter in one statement.

SQL by hand, because the ORM's upsert can only overwrite a column with the new value, and reading before
writing is either a race or, on a row that does not exist yet, a deadlock (two inserts that each wait for
the other's lock).
"""

from django.db import connection

from usage.models import COUNTER_FIELDS, UsageCounter

_COLUMNS = [*COUNTER_FIELDS.values(), "version"]


def _statement() -> str:
    table, key = UsageCounter._meta.db_table, "subscription_id"
    values = ", ".join(["%s"] * (len(_COLUMNS) + 1))
    insert = f"INSERT INTO {table} ({key}, {', '.join(_COLUMNS)}) VALUES ({values})"  # noqa: S608
    if connection.vendor == "mysql":
        # VALUES() is the one form that MariaDB and MySQL share.
        added = ", ".join(f"{column} = {column} + VALUES({column})" for column in _COLUMNS)
        return f"{insert} ON DUPLICATE KEY UPDATE {added}"
    added = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in _COLUMNS)
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {added}"


def add_usage(subscription_id: int, field: str, quantity: int) -> None:
    """Adds `quantity` to one of the subscription's counters, making the row if need be.

    The row stays locked until the transaction ends, so what is read next is this change and no later one.
    Raises IntegrityError if the counter would pass COUNTER_MAX.
    """
    amounts = [quantity if column == field else 0 for column in _COLUMNS[:-1]]
    with connection.cursor() as cursor:
        cursor.execute(_statement(), [subscription_id, *amounts, 1])
