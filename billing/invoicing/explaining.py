"""Explain a bill: the document with everything that belongs to it, and the usage that it is based on, by
day."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine, Payment
from billing.models.invoices import InvoiceQuerySet
from billing.rating import Allowance, RatingInputs, included_allowance
from billing.rating.kept import kept_inputs
from telcox.common.errors import NotFound
from usage.models import UsageDay
from usage.vocabulary import COUNTER_FIELDS, ZERO_RATED

# Usage by the field of the counter, in bytes, seconds and messages.
UsedAmounts = dict[str, int]


@dataclass(frozen=True)
class Reckoning:
    """Facts that a bill's lines were calculated from."""

    facts: RatingInputs

    @property
    def included(self) -> Allowance:
        return included_allowance(self.facts.terms, self.facts.span)

    @property
    def granted(self) -> Allowance:
        return self.facts.granted()

    @property
    def used(self) -> UsedAmounts:
        return _amounts(self.facts)

    @property
    def zero_rated(self) -> list[str]:
        return [used for used, free in ZERO_RATED.items() if getattr(self.facts.terms, free)]


@dataclass(frozen=True)
class Explanation:
    """A document, and the facts that it was calculated from; None if it was not calculated here."""

    invoice: Invoice
    reckoned_from: Reckoning | None


@dataclass(frozen=True)
class UsageBehind:
    """Usage of a bill's period. The usage that the bill was `rated` from and the usage that `arrived_later`
    add up to the `days`. `late` are the invoices of earlier periods whose late usage is charged with this
    bill."""

    invoice: Invoice
    rated: UsedAmounts
    arrived_later: UsedAmounts
    days: dict[date, UsedAmounts]
    late: list[Invoice]


def documents_of_number(phone_number: str, user: Any = None) -> InvoiceQuerySet:
    """Return the number's issued documents; with `user`, only those of this user."""
    documents: InvoiceQuerySet = Invoice.objects.issued().of_number(phone_number)
    return documents if user is None else documents.of_user(user.pk)


def explain_document(*, documents: QuerySet[Invoice], pk: int) -> Explanation:
    """Return one of these documents, with its lines, payments and credit notes, in four queries. Raise
    NotFound if there is no such document."""
    invoice = _found(
        documents.select_related("series", "corrects__series").prefetch_related(
            Prefetch("lines", InvoiceLine.objects.select_related("late_for").order_by("position")),
            Prefetch("payments", Payment.objects.order_by("paid_at", "pk")),
            Prefetch("corrections", Invoice.objects.issued().select_related("series").order_by("pk")),
        ),
        pk,
    )
    return Explanation(invoice, Reckoning(kept_inputs(invoice)) if invoice.rated_from else None)


def usage_behind(*, documents: QuerySet[Invoice], pk: int) -> UsageBehind:
    """Return the usage of a document's period, by day. Raise NotFound if there is no such document, or if it
    was not calculated from usage."""
    invoice = _found(documents, pk)
    if invoice.rated_from is None:
        raise NotFound(_("The document was not calculated from usage"), reason="not_from_usage")
    rated = _amounts(kept_inputs(invoice))
    fields = COUNTER_FIELDS.values()
    rows = UsageDay.objects.filter(subscription=invoice.subscription_id).order_by("day")
    days = {day: dict(zip(fields, sums, strict=True)) for day, *sums in rows.values_list("day", *fields)}
    return UsageBehind(
        invoice,
        rated=rated,
        arrived_later={
            field: sum(sums[field] for sums in days.values()) - amount for field, amount in rated.items()
        },
        days=days,
        late=list(_charged_late_with(invoice)),
    )


def _found(documents: QuerySet[Invoice], pk: int) -> Invoice:
    found = documents.filter(pk=pk).first()
    if found is None:
        raise NotFound("Not Found", reason="unknown_document")
    return found


def _amounts(facts: RatingInputs) -> UsedAmounts:
    return {field: getattr(facts.used, field.removeprefix("used_")) for field in COUNTER_FIELDS.values()}


def _charged_late_with(invoice: Invoice) -> QuerySet[Invoice]:
    periods = invoice.lines.filter(late_for__isnull=False).values("late_for")
    earlier: QuerySet[Invoice] = Invoice.objects.in_force().issued()
    return earlier.filter(subscription__in=periods).select_related("series").order_by("pk")
