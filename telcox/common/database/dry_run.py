"""Dry runs: run the real code in a transaction that is rolled back."""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

Result = TypeVar("Result")


def commit_unless_dry_run(work: Callable[[], Result], *, dry_run: bool) -> Result:
    """Return what `work` returns, in one transaction, which is rolled back if it is a dry run. Then nothing
    is changed, and what was registered for after the commit does not run either.

    The result must not need the database afterwards.
    """
    with transaction.atomic():
        result = work()
        if dry_run:
            transaction.set_rollback(True)
    return result
