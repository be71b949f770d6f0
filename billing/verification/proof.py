"""Verify one document, an invoice or a credit note. Both commands use these checks.

`verify_invoices` verifies that documents are unchanged since they were issued (ISSUED). `verify_billing` also
verifies that they were rated and settled correctly (BILLED).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from billing.invoicing.sealing import seal_document
from billing.models import (
    Invoice,
    InvoiceEvent,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Issuer,
    Payment,
    standing_of,
)
from billing.models.invoices import InvoiceQuerySet
from billing.rating.kept import kept_inputs
from billing.verification.money import MoneyMoved, money_faults, money_moved

ZERO = Decimal("0.00")

# Sums of an invoice, and the field of its lines that each adds up.
_SUMS = {"subtotal": "amount", "discount": "discount", "tax": "tax"}
_READ = (
    "kind",
    "status",
    "number",
    "series",
    "in_force",
    "period",
    "customer_dni",
    "customer_identity_kind",
    "customer_name",
    "customer_address",
    "language",
    "phone_number",
    *_SUMS,
    "tax_rate",
    "total",
    "rated_from",
    "issued_at",
    "due_on",
    "line_count",
    "content_hash",
    "previous_hash",
    "usage_version",
    "issuer",
    "customer__dni",
    "customer__full_name",
    "subscription__sequence",
    "subscription__line__phone_number",
    "subscription__customer",
    "subscription__usage_counter__version",
    "corrects__number",
    "corrects__status",
    "corrects__kind",
    "corrects__series__prefix",
    "corrects__series__pattern",
)
_JOINED = ("customer", "subscription__line", "subscription__usage_counter", "corrects__series")
_LINES_READ = (
    "invoice_id",
    "position",
    "description",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "discount",
    "tax",
    "tax_rate",
    "credits",
    "late_for__sequence",
)
# Fields of a line that rating calculates.
_RATED = ("unit", "quantity", "unit_price", "amount", "discount", "tax", "tax_rate")


@dataclass
class Settled:
    """Sums paid on a document, and credited by its credit notes."""

    paid: Decimal = ZERO
    notes: int = 0
    credited: Decimal = ZERO
    # The part of `credited` before discount and tax.
    credited_subtotal: Decimal = ZERO


@dataclass
class Evidence:
    """A document, its lines in the order of their positions, the steps of its history (from, to), and the
    sums and movements of its money."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    steps: Sequence[tuple[str, str]]
    settled: Settled
    moved: MoneyMoved = field(default_factory=MoneyMoved)


def _read(invoices: InvoiceQuerySet) -> list[Evidence]:
    """Read these documents, in their order, with everything that is verified: seven statements. The caller
    reads all of it as of one moment (`consistent_read`)."""
    found = list(invoices.select_related(*_JOINED).only(*_READ))
    keys = [invoice.pk for invoice in found]
    issuers = Issuer.objects.in_bulk({invoice.issuer_id for invoice in found})
    lines, steps, settled = _lines(keys), _steps(keys), _settled(keys)
    for invoice in found:
        invoice.issuer = issuers.get(invoice.issuer_id)
    return [Evidence(invoice, lines[invoice.pk], steps[invoice.pk], settled[invoice.pk]) for invoice in found]


def _read_with_money(invoices: InvoiceQuerySet) -> list[Evidence]:
    evidence = _read(invoices)
    moved = money_moved([each.invoice.pk for each in evidence])
    for each in evidence:
        each.moved = moved[each.invoice.pk]
    return evidence


def _lines(invoices: Sequence[int]) -> Mapping[int, Sequence[InvoiceLine]]:
    lines: defaultdict[int, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=invoices).select_related("late_for").only(*_LINES_READ)
    for line in rows.order_by("invoice_id", "position"):
        lines[line.invoice_id].append(line)
    return lines


def _steps(invoices: Sequence[int]) -> Mapping[int, Sequence[tuple[str, str]]]:
    steps: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    events = InvoiceEvent.objects.filter(invoice__in=invoices).order_by("invoice_id", "pk")
    for pk, before, after in events.values_list("invoice_id", "from_status", "to_status"):
        steps[pk].append((before, after))
    return steps


def _settled(invoices: Sequence[int]) -> Mapping[int, Settled]:
    """Sum in Python, because SQLite would sum floats."""
    settled: defaultdict[int, Settled] = defaultdict(Settled)
    payments = Payment.objects.filter(invoice__in=invoices).order_by()
    for pk, amount in payments.values_list("invoice_id", "amount"):
        settled[pk].paid += amount
    notes = Invoice.objects.filter(corrects__in=invoices).order_by()
    for pk, total, subtotal in notes.values_list("corrects_id", "total", "subtotal"):
        of_it = settled[pk]
        of_it.notes, of_it.credited = of_it.notes + 1, of_it.credited + total
        of_it.credited_subtotal += subtotal
    return settled


def written(invoice: Invoice) -> str:
    """Return the document's printed number, or a fallback if the pattern of its series is invalid."""
    try:
        return invoice.full_number or ""
    except (ValueError, LookupError, AttributeError):
        return f"{invoice.series} {invoice.number}"


def _issued_faults(evidence: Evidence) -> Iterator[str]:
    """Yield the faults of an issued document; for a draft, which has no seal yet, only those it can have."""
    if evidence.invoice.number is not None:
        yield from _seal_faults(evidence)
        yield from _link_faults(evidence)
    yield from _sum_faults(evidence)
    yield from _standing_faults(evidence)


def _billed_faults(evidence: Evidence) -> Iterator[str]:
    yield from _issued_faults(evidence)
    yield from _rating_faults(evidence)
    yield from money_faults(
        evidence.moved,
        lines=[(line.amount, line.discount, line.tax) for line in evidence.lines],
        overpaid=evidence.settled.paid + evidence.settled.credited - evidence.invoice.total,
    )


def _seal_faults(evidence: Evidence) -> Iterator[str]:
    """Yield faults of the document's own seal. Its place in the hash chain is verified in chain.py."""
    invoice, lines = evidence.invoice, evidence.lines
    if invoice.line_count != len(lines):
        yield f"it has {len(lines)} lines, but was sealed with {invoice.line_count}"
    if invoice.content_hash != seal_document(
        invoice,
        lines,
        number=written(invoice),
        corrects=written(invoice.corrects) if invoice.corrects else "",
        before=invoice.previous_hash,
    ):
        yield "its content differs from its seal"


def _sum_faults(evidence: Evidence) -> Iterator[str]:
    invoice = evidence.invoice
    sums = {
        name: sum((getattr(line, of_line) for line in evidence.lines), ZERO)
        for name, of_line in _SUMS.items()
    }
    sums["total"] = sums["subtotal"] - sums["discount"] + sums["tax"]
    for name, of_lines in sums.items():
        if (held := getattr(invoice, name)) != of_lines:
            yield f"its {name} is {held}, by its lines {of_lines}"


def _link_faults(evidence: Evidence) -> Iterator[str]:
    """Yield faults of the links to other rows, which are not sealed. The customer's names and a line's number
    may change, but not all at once. A period's holder has the invoice in force of it."""
    invoice, customer, period = evidence.invoice, evidence.invoice.customer, evidence.invoice.subscription
    names = {invoice.customer_dni, invoice.customer_name}
    if (
        customer
        and not names & {customer.dni, customer.full_name}
        and not (period and period.customer_id == customer.pk)
    ):
        yield "it belongs to another customer"
    elif customer and period and invoice.in_force and period.customer_id != customer.pk:
        yield "it belongs to another customer than its period"
    if (
        period
        and period.line.phone_number != invoice.phone_number
        and (customer is None or period.customer_id != customer.pk)
    ):
        yield "its period belongs to another line"
    if period and not customer:
        yield "it belongs to no customer"


def _standing_faults(evidence: Evidence) -> Iterator[str]:
    """Yield faults of what is not sealed, but follows from the history, payments and credit notes."""
    invoice, steps, settled = evidence.invoice, evidence.steps, evidence.settled
    # Histories are kept since issuers are. Documents issued before that have only the later steps.
    first = steps[0][0] if steps and not invoice.issuer_id else InvoiceStatus.DRAFT
    states = [first, *(after for _before, after in steps)]
    if steps and ([before for before, _after in steps] != states[:-1] or states[-1] != invoice.status):
        yield f"it is {invoice.status}, by its history {states[-1]}"
    if settled.credited > invoice.total:
        yield f"its total is {invoice.total}, but {settled.credited} was credited"
    if invoice.status != _right_status(invoice, settled) or settled.paid < 0:
        yield (
            f"it is {invoice.status}, and {settled.paid} of {invoice.total} was paid, "
            f"{settled.credited} credited"
        )
    if invoice.number is None:
        return
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    if bool(invoice.in_force) == (is_note or invoice.status == InvoiceStatus.VOID):
        yield "it is void and in force" if invoice.in_force else "it is not in force, and not void"
    corrects = invoice.corrects
    if is_note and (corrects is None or corrects.kind != InvoiceKind.INVOICE or corrects.is_draft):
        yield "it credits what is not an issued invoice"
    least, most = _rated_version(invoice.rated_from), 0 if is_note else _counted_version(invoice)
    if not least <= invoice.usage_version <= most:
        yield f"its period's usage is billed up to event {invoice.usage_version}, expected {least} to {most}"


def _right_status(invoice: Invoice, settled: Settled) -> InvoiceStatus:
    if invoice.number is None and not settled.paid:
        return InvoiceStatus.DRAFT
    if invoice.kind == InvoiceKind.CREDIT_NOTE and not settled.paid and not settled.notes:
        return InvoiceStatus.ISSUED  # also with a total of 0, because nothing can be paid on it
    return standing_of(
        total=invoice.total,
        credited=settled.credited,
        paid=settled.paid,
        void=settled.notes > 0 and settled.credited_subtotal == invoice.subtotal,
    )


def _rated_version(rated_from: Any) -> int:
    """Return the version of the period's counter that the document was rated from."""
    version = rated_from.get("usage_version", 0) if isinstance(rated_from, dict) else 0
    return version if isinstance(version, int) else 0


def _counted_version(invoice: Invoice) -> int:
    """Return the present version of the period's counter."""
    counter = getattr(invoice.subscription, "usage_counter", None)
    return counter.version if counter else 0


def _rating_faults(evidence: Evidence) -> Iterator[str]:
    """Rate the document again from its stored inputs and yield the differences. A document imported from a
    former system has no stored inputs.

    A void invoice is left out: it was taken back, perhaps because it was rated by a rule that was wrong. What
    it says is proved by its seal.
    """
    invoice, lines = evidence.invoice, evidence.lines
    if invoice.rated_from is None or invoice.status == InvoiceStatus.VOID:
        return
    try:
        facts = kept_inputs(invoice)
    except (msgspec.ValidationError, ValueError) as error:
        yield f"its rating inputs cannot be read: {error}"
        return
    if facts.tax_rate != invoice.tax_rate:
        yield f"its tax rate is {invoice.tax_rate}, but it was calculated with {facts.tax_rate}"
    again = facts.rate().lines
    if len(again) != len(lines):
        yield f"it has {len(lines)} lines, recalculated {len(again)}"
        return
    for position, (held, rated) in enumerate(zip(lines, again, strict=True), start=1):
        for name in _RATED:
            if (value := getattr(held, name)) != getattr(rated, name):
                yield f"line {position}: its {name} is {value}, recalculated {getattr(rated, name)}"


class Proof(NamedTuple):
    """Kind of verification: how documents are read, which faults are looked for, and the document's name in a
    fault."""

    read: Callable[[InvoiceQuerySet], list[Evidence]]
    faults: Callable[[Evidence], Iterator[str]]
    called: str


ISSUED = Proof(_read, _issued_faults, "{}")
BILLED = Proof(_read_with_money, _billed_faults, "invoice {}")
