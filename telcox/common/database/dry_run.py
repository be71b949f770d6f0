"""What would happen, told by the very code that does it."""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

Result = TypeVar("Result")


def commit_unless_dry_run(work: Callable[[], Result], *, dry_run: bool) -> Result:
    """What `work` returns: one transaction, which is rolled back if it is a dry run. Then nothing has
    happened, and what was registered for after the commit does not happen either.

    The result must not ask the database for anything later on.
    """
    with transaction.atomic():
        result = work()
        if dry_run:
            transaction.set_rollback(True)
    return result
