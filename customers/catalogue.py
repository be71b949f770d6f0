"""The catalogue over time: what a plan offers, and what it offered at any moment before."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from customers.models import TERMS, Plan, PlanRevision

# What a subscription is made of: the name it is sold under, its terms, and how long it is valid.
OFFERED = ("name", "validity_days", *TERMS)


@transaction.atomic
def revise_plan(*, plan: Plan, at: datetime, by: str = "") -> Plan:
    """Saves an edited plan, and keeps what it offered until now. What was sold from it stays as it is."""
    before = Plan.objects.select_for_update().get(pk=plan.pk)
    offered = {field: getattr(before, field) for field in OFFERED}
    if any(getattr(plan, field) != value for field, value in offered.items()):
        PlanRevision.objects.create(plan=plan, replaced_at=at, replaced_by=by, **offered)
    plan.save()
    return plan


class OfferedTerms:
    """What some plans offered at any moment. One query for the plans, and one for their past."""

    def __init__(self, plan_ids: Iterable[int]) -> None:
        self._plans = Plan.objects.in_bulk(plan_ids)
        self._past: dict[int, list[PlanRevision]] = {}
        for revision in PlanRevision.objects.filter(plan__in=self._plans).order_by("replaced_at", "pk"):
            self._past.setdefault(revision.plan_id, []).append(revision)

    def of(self, plan_id: int, at: datetime) -> Plan | PlanRevision:
        for revision in self._past.get(plan_id, ()):
            if at < revision.replaced_at:
                return revision
        return self._plans[plan_id]
