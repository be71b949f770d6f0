"""Steps of lines that have no price: suspend, resume. Selling, changing and ending are in billing/sales."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.lifecycle import complete_step, lock_for
from customers.models import Line, LineStep, Suspension, SuspensionReason
from telcox.common.calendar import whole_second
from telcox.common.errors import DomainError


@transaction.atomic
def suspend_line(*, line: Line, reason: SuspensionReason | str, at: datetime, by: str = "") -> Suspension:
    """Take a line out of service from `at` on: its usage is rejected from then on.

    The days are charged as usual, except for a suspension by the operator. Raise DomainError if the line is
    not in service, or if an earlier suspension ended after `at`.
    """
    line = lock_for(line=line, step=LineStep.SUSPEND)
    if line.resumed_at and at < line.resumed_at:
        raise DomainError(_("The line was already suspended at that time"), reason="in_the_past")
    suspension = Suspension.objects.create(line=line, reason=reason, start_at=at)
    complete_step(line=line, step=LineStep.SUSPEND, at=at, by=by, detail=suspension.reason)
    return suspension


@transaction.atomic
def resume_line(*, line: Line, at: datetime, by: str = "") -> Line:
    """Put a suspended line back into service from the second of `at` on. Raise DomainError if it is not
    suspended, or was not yet suspended at `at`."""
    line = lock_for(line=line, step=LineStep.RESUME)
    end_suspension(line, at, whole_second_of_use=True)
    complete_step(line=line, step=LineStep.RESUME, at=at, by=by)
    return line


def end_suspension(line: Line, at: datetime, *, whole_second_of_use: bool = False) -> None:
    """End the line's open suspension, if there is one. The caller holds the line's lock and saves the line.

    With `whole_second_of_use` it ends at the start of that second. Many networks stamp usage to the second:
    otherwise usage in the second in which service begins would be rejected. Raise DomainError if the
    suspension started after `at`.
    """
    suspension = line.suspensions.filter(is_open=True).first()
    if suspension is None:
        return
    if at < suspension.start_at:
        raise DomainError(_("The line was not yet suspended at that time"), reason="in_the_past")
    end_at = max(whole_second(at), suspension.start_at) if whole_second_of_use else at
    suspension.is_open, suspension.end_at = None, end_at
    suspension.save(update_fields=["is_open", "end_at"])
    line.resumed_at = end_at
