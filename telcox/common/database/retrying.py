"""Retry transactions after a deadlock or lock time-out."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection
from prometheus_client import Counter

Result = TypeVar("Result")

# The database is not reachable, is restarting, or aborted the transaction: a retry may succeed in a moment.
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)

RETRIES = Counter(
    "telcox_transaction_retries_total", "Transactions retried after a deadlock or lock time-out"
)

# Error codes of MariaDB and MySQL: deadlock, lock wait time-out.
_LOST_LOCKS = {1213, 1205}
# For how long a transaction is retried, and the longest pause before a retry, in seconds. With the wait
# before it (QUEUE_WAIT_SECONDS) and a last statement that hangs (DATABASE_TIMEOUT_SECONDS), it ends before
# the proxy's time-out of 60 seconds.
PATIENCE = 20.0
LONGEST_PAUSE = 0.5


def retry_lost_locks(work: Callable[[], Result]) -> Result:
    """Return what `work`, one whole transaction, returns. It is retried while the database aborts it by a
    deadlock or lock time-out.

    Within a transaction of the caller, which is aborted as well, `work` runs once.
    """
    until, pause = time.monotonic() + PATIENCE, 0.002
    while True:
        try:
            return work()
        except OperationalError as error:
            if error.args[0] not in _LOST_LOCKS or connection.in_atomic_block or time.monotonic() > until:
                raise
        RETRIES.inc()
        # Random pauses, so that competing transactions do not retry at the same moments.
        time.sleep(random.uniform(0, pause))  # noqa: S311
        pause = min(pause * 2, LONGEST_PAUSE)
