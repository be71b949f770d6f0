"""The state machine of a line: the steps, the states in which each is allowed, and the state after it.

Every step holds the lock of the line's row, and is recorded in the line's history (LineEvent) in its own
transaction. If two callers decide on the same state of a line, one acts, and the other is refused by
`version` (optimistic locking).
"""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Line, LineEvent, LineStatus, LineStep, Subscription
from telcox.common.database.locking import lock_row
from telcox.common.errors import DomainError

_ACTIVE, _SUSPENDED, _TERMINATED = LineStatus.ACTIVE, LineStatus.SUSPENDED, LineStatus.TERMINATED

# For each step: the states in which it is allowed, and the state after it. RENEW and RENEWAL_REFUSED are
# taken by the day's run (see SubscriptionQuerySet.renewing).
TRANSITIONS: dict[LineStep, dict[LineStatus, LineStatus]] = {
    LineStep.ACTIVATE: {_ACTIVE: _ACTIVE},
    LineStep.RENEW: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.RENEWAL_REFUSED: {_ACTIVE: _ACTIVE},
    LineStep.CHANGE_PLAN: {_ACTIVE: _ACTIVE},
    LineStep.SCHEDULE_CHANGE: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.CANCEL_CHANGE: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.BUY_PACK: {_ACTIVE: _ACTIVE},
    LineStep.CHANGE_HOLDER: {_ACTIVE: _ACTIVE},
    LineStep.REVISE_TERMS: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED, _TERMINATED: _TERMINATED},
    LineStep.SUSPEND: {_ACTIVE: _SUSPENDED},
    LineStep.RESUME: {_SUSPENDED: _ACTIVE},
    LineStep.SCHEDULE_END: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.CANCEL_END: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.TERMINATE: {_ACTIVE: _TERMINATED, _SUSPENDED: _TERMINATED},
}

_REFUSALS = {
    _ACTIVE: (gettext_lazy("The line is in service"), "line_active"),
    _SUSPENDED: (gettext_lazy("The line is suspended"), "line_suspended"),
    _TERMINATED: (gettext_lazy("The line is terminated"), "line_terminated"),
}


def lock_line(line: Line) -> Line:
    """Return the line, locked (SELECT … FOR UPDATE) until the transaction ends."""
    return lock_row(Line, line.pk)


def lock_for(*, line: Line, step: LineStep) -> Line:
    """Return the line, locked for `step`. Raise DomainError if its state does not allow the step, or if the
    line was changed since the caller read `line`."""
    now = lock_line(line)
    require_allowed(now, step)
    if now.version != line.version:
        raise DomainError(
            _("The line was changed in the meantime: reload it and try again"), reason="changed_meanwhile"
        )
    return now


def require_allowed(line: Line, step: LineStep) -> None:
    """Raise DomainError if the line's state does not allow the step."""
    status = LineStatus(line.status)
    if status not in TRANSITIONS[step]:
        detail, reason = _REFUSALS[status]
        raise DomainError(str(detail), reason=reason)


def complete_step(
    *,
    line: Line,
    step: LineStep,
    at: datetime,
    by: str,
    subscription: Subscription | None = None,
    detail: str = "",
) -> None:
    """Record the step in the line's history, and save the line with its new state and version. The caller
    holds the line's lock."""
    line.status = TRANSITIONS[step][LineStatus(line.status)]
    line.version += 1
    line.save()
    LineEvent.objects.create(line=line, step=step, at=at, by=by, subscription=subscription, detail=detail)
