"""The catalogue over time: what a plan offers now, and what it offered at any earlier moment."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from customers.models import TERMS, Plan, PlanRevision
from telcox.common.database.locking import lock_row
from telcox.common.database.prepared import PreparedQuery

# What a subscription copies from a plan: name, terms and validity.
OFFERED = ("name", "validity_days", *TERMS)


@transaction.atomic
def revise_plan(*, plan: Plan, at: datetime, by: str = "") -> Plan:
    """Save an edited plan, and keep its former terms as a PlanRevision. Periods already sold do not
    change."""
    before = lock_row(Plan, plan.pk)
    offered = {field: getattr(before, field) for field in OFFERED}
    if any(getattr(plan, field) != value for field, value in offered.items()):
        PlanRevision.objects.create(plan=plan, replaced_at=at, replaced_by=by, **offered)
    plan.save()
    return plan


class Changed(NamedTuple):
    """One field of a plan, before and after an edit."""

    field: str
    before: Any
    after: Any


# Most edits shown of one plan.
CHANGES_SHOWN = 50


class Revised(NamedTuple):
    """One edit of a plan."""

    revision: PlanRevision
    changes: list[Changed]


def history_of(plan: Plan) -> list[Revised]:
    """Return the last edits of a plan, newest first."""
    history = []
    after: Plan | PlanRevision = plan
    for before in plan.revisions.order_by("-replaced_at", "-pk")[:CHANGES_SHOWN]:
        changes = [
            Changed(field, getattr(before, field), getattr(after, field))
            for field in OFFERED
            if getattr(before, field) != getattr(after, field)
        ]
        history.append(Revised(before, changes))
        after = before
    return history


class OfferedTerms:
    """Terms that some plans offered at any moment. It makes one query for the plans and one for their
    revisions."""

    def __init__(self, plan_ids: Iterable[int]) -> None:
        self._plans = Plan.objects.order_by().in_bulk(set(plan_ids))
        self._past: dict[int, list[PlanRevision]] = {}
        for row in _revisions(plans=self._plans.keys()):
            self._past.setdefault(row["plan_id"], []).append(PlanRevision(**row))

    def of(self, plan_id: int, at: datetime) -> Plan | PlanRevision:
        for revision in self._past.get(plan_id, ()):
            if at < revision.replaced_at:
                return revision
        return self._plans[plan_id]


@PreparedQuery
def _revisions(plans: Any) -> QuerySet[PlanRevision, Any]:
    return PlanRevision.objects.filter(plan__in=plans).order_by("replaced_at", "pk").values()
