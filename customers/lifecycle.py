"""What may happen to a line: from which state, and to which it leads.

Every step holds the line's lock, and is written into the line's history (LineEvent) in its own transaction.
Of two who decide on the same state of a line, one acts and the other is told (`version`).
"""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Line, LineEvent, LineStatus, LineStep, Subscription
from telcox.common.errors import DomainError

_ACTIVE, _SUSPENDED, _TERMINATED = LineStatus.ACTIVE, LineStatus.SUSPENDED, LineStatus.TERMINATED

# For each step the states it may be taken in, and the state after it. RENEW and RENEWAL_REFUSED are taken by
# the clock (SubscriptionQuerySet.renewing says when).
TRANSITIONS: dict[LineStep, dict[LineStatus, LineStatus]] = {
    LineStep.ACTIVATE: {_ACTIVE: _ACTIVE},
    LineStep.RENEW: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.RENEWAL_REFUSED: {_ACTIVE: _ACTIVE},
    LineStep.CHANGE_PLAN: {_ACTIVE: _ACTIVE},
    LineStep.SCHEDULE_CHANGE: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.CANCEL_CHANGE: {_ACTIVE: _ACTIVE, _SUSPENDED: _SUSPENDED},
    LineStep.BUY_PACK: {_ACTIVE: _ACTIVE},
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
    """The line as it is now, and nobody else's until the transaction ends."""
    return Line.objects.select_for_update().get(pk=line.pk)


def lock_for(*, line: Line, step: LineStep) -> Line:
    """The line, locked for `step`. Raises DomainError if its state does not allow the step, or something
    happened to it since the caller read `line`."""
    now = lock_line(line)
    require_allowed(now, step)
    if now.version != line.version:
        raise DomainError(
            _("The line was changed in the meantime: reload it and try again"), reason="changed_meanwhile"
        )
    return now


def require_allowed(line: Line, step: LineStep) -> None:
    """Raises DomainError if the line's state does not allow the step."""
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
    """Writes down that the step was taken. The line is locked, and changed as the step wants it."""
    line.status = TRANSITIONS[step][LineStatus(line.status)]
    line.version += 1
    line.save()
    LineEvent.objects.create(line=line, step=step, at=at, by=by, subscription=subscription, detail=detail)
