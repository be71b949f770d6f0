"""Whether each series' documents are the ones that were issued: numbered without a gap or a double, sealed
each after the one before it, adding up, and credited, paid and void as they say."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain

from django.db.models import Count, Min, Sum

from billing.models import (
    Invoice,
    InvoiceEvent,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Payment,
    standing_of,
)
from billing.sealing import seal
from billing.verification.faults import Fault
from telcox.common.moments import one_moment
from telcox.common.money import cents

# Numbers looked at together, as of one moment: memory stays the same however many documents there are.
NUMBERS_AT_ONCE = 500
ZERO = Decimal("0.00")

_SUMS = ("subtotal", "discount", "tax")
_READ = (
    "kind",
    "status",
    "number",
    "in_force",
    "period",
    "customer_dni",
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
    "subscription__line__customer",
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
    "credits",
    "late_for__sequence",
)


@dataclass
class Around:
    """What belongs to some documents, by their keys."""

    lines: Mapping[int, Sequence[InvoiceLine]]
    steps: Mapping[int, Sequence[tuple[str, str]]]
    paid: Mapping[int, Decimal]
    credited: Mapping[int, tuple[int, Decimal, Decimal]]  # how many notes, their totals, their subtotals


@dataclass
class Chain:
    """The proof of one series. `noted` are seals that documents bore, by their written numbers, as somebody
    has noted them outside of the database; those of documents that are there are taken out."""

    series: InvoiceSeries
    noted: dict[str, str] = field(default_factory=dict)
    documents: int = 0
    last: int = 0
    seal: str = ""
    first: Fault | None = None
    wrong: int = 0

    def walk(self) -> Iterator[int]:
        """Goes through the documents in the order of their numbers, and tells how many it has gone through
        since it last told. Documents may go on being issued meanwhile."""
        while page := self._page():
            yield page

    def _page(self) -> int:
        with one_moment():
            self.series.refresh_from_db()
            of_it = Invoice.objects.filter(series=self.series)
            first = of_it.filter(number__gt=self.last).aggregate(Min("number"))["number__min"]
            if first is None:
                self._end()
                return 0
            numbers = of_it.filter(number__gte=first, number__lt=first + NUMBERS_AT_ONCE)
            invoices = list(numbers.select_related(*_JOINED).only(*_READ).order_by("number", "pk"))
            issuers = Issuer.objects.in_bulk({invoice.issuer_id for invoice in invoices})
            around = _around([invoice.pk for invoice in invoices])
        for invoice in invoices:
            invoice.series, invoice.issuer = self.series, issuers.get(invoice.issuer_id)
            self._prove(invoice, around)
        return len(invoices)

    def _prove(self, invoice: Invoice, around: Around) -> None:
        number, lines = invoice.number or 0, around.lines[invoice.pk]
        if number > self.last + 1:
            self._note(f"series {self.series}", f"number {self.last + 1} is missing")
        # The first that is wrong: what is reckoned with further down is known to have been sealed.
        faults = chain(
            ["there are two of this number"] if number == self.last else [],
            self._seal_faults(invoice, lines),
            _sum_faults(invoice, lines),
            _link_faults(invoice),
            _standing_faults(invoice, around),
        )
        self._note(_written(invoice), next(faults, None))
        # What comes after it is proved by the seal that it has, so that one wrong document is one fault.
        self.documents, self.last, self.seal = self.documents + 1, number, invoice.content_hash or ""

    def _seal_faults(self, invoice: Invoice, lines: Sequence[InvoiceLine]) -> Iterator[str]:
        written, before = _written(invoice), invoice.previous_hash
        noted = self.noted.pop(written, invoice.content_hash)
        if before != self.seal:
            yield "it was sealed after another document than the one before it"
        if invoice.line_count != len(lines):
            yield f"it has {len(lines)} lines, and had {invoice.line_count}"
        corrects = _written(invoice.corrects) if invoice.corrects else ""
        if invoice.content_hash != seal(invoice, lines, number=written, corrects=corrects, before=before):
            yield "it is not what was sealed"
        if invoice.content_hash != noted:
            yield "its seal is another than was noted"

    def _end(self) -> None:
        if self.series.last_number != self.last:
            what = f"its last number is {self.series.last_number}, of its documents {self.last}"
            self._note(f"series {self.series}", what)
        elif self.series.last_hash != self.seal:
            self._note(f"series {self.series}", "its last seal is not its last document's")

    def _note(self, of: str, what: str | None) -> None:
        if what:
            self.wrong += 1
            self.first = self.first or Fault(of, what)


def _written(invoice: Invoice) -> str:
    """Its number as it was printed; somehow, where a pattern was put into its series that writes none."""
    try:
        return invoice.full_number or ""
    except (ValueError, LookupError, AttributeError):
        return f"{invoice.series} {invoice.number}"


def _around(invoices: Sequence[int]) -> Around:
    """Read in a few statements, however many documents these are."""
    lines: defaultdict[int, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=invoices).select_related("late_for").only(*_LINES_READ)
    for line in rows.order_by("invoice_id", "position"):
        lines[line.invoice_id].append(line)
    steps: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    events = InvoiceEvent.objects.filter(invoice__in=invoices).order_by("invoice_id", "pk")
    for pk, before, after in events.values_list("invoice_id", "from_status", "to_status"):
        steps[pk].append((before, after))
    payments = Payment.objects.filter(invoice__in=invoices).order_by().values_list("invoice")
    notes = Invoice.objects.issued().filter(corrects__in=invoices).order_by().values_list("corrects")
    # SQLite adds up binary fractions.
    return Around(
        lines,
        steps,
        {pk: cents(paid) for pk, paid in payments.annotate(Sum("amount"))},
        {
            pk: (count, cents(total), cents(subtotal))
            for pk, count, total, subtotal in notes.annotate(Count("pk"), Sum("total"), Sum("subtotal"))
        },
    )


def _sum_faults(invoice: Invoice, lines: Sequence[InvoiceLine]) -> Iterator[str]:
    for name, of_line in zip(_SUMS, ("amount", "discount", "tax"), strict=True):
        held, of_lines = getattr(invoice, name), sum((getattr(line, of_line) for line in lines), ZERO)
        if held != of_lines:
            yield f"its {name} is {held}, by its lines {of_lines}"
    if invoice.total != invoice.subtotal - invoice.discount + invoice.tax:
        yield "it does not add up"


def _link_faults(invoice: Invoice) -> Iterator[str]:
    """Rows have no part in a seal. Names, numbers and owners of lines may change, but not all at once."""
    customer, period = invoice.customer, invoice.subscription
    names = {invoice.customer_dni, invoice.customer_name}
    if (
        customer
        and not names & {customer.dni, customer.full_name}
        and not (period and period.line.customer_id == customer.pk)
    ):
        yield "it is another customer's"
    if (
        period
        and period.line.phone_number != invoice.phone_number
        and (customer is None or period.line.customer_id != customer.pk)
    ):
        yield "its period is another line's"
    if period and not customer:
        yield "it is nobody's"


def _standing_faults(invoice: Invoice, around: Around) -> Iterator[str]:
    """What is no part of the document, but has to be as its history, payments and credit notes make it."""
    steps = around.steps.get(invoice.pk, ())
    # Histories are kept since issuers are. What was issued earlier has only the steps it has taken since.
    first = steps[0][0] if steps and not invoice.issuer_id else InvoiceStatus.DRAFT
    states = [first, *(after for _before, after in steps)]
    if steps and ([before for before, _after in steps] != states[:-1] or states[-1] != invoice.status):
        yield f"it is {invoice.status}, by its history {states[-1]}"
    notes, credited, taken_back = around.credited.get(invoice.pk, (0, ZERO, ZERO))
    if credited > invoice.total:
        yield f"it is over {invoice.total}, and {credited} of it was taken back"
    paid = around.paid.get(invoice.pk, ZERO)
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    void = notes > 0 and taken_back == invoice.subtotal
    standing = standing_of(total=invoice.total, credited=credited, paid=paid, void=void)
    if invoice.status != standing or paid < 0:
        yield f"it is {invoice.status}, and {paid} of {invoice.total} was paid, {credited} taken back"
    if bool(invoice.in_force) == (is_note or invoice.status == InvoiceStatus.VOID):
        yield "it is void and in force" if invoice.in_force else "it is not in force, and not void"
    corrects = invoice.corrects
    if is_note and (corrects is None or corrects.kind != InvoiceKind.INVOICE or corrects.is_draft):
        yield "it takes back what is no issued invoice"
    least = (invoice.rated_from or {}).get("usage_version", 0)
    most = 0 if is_note else _use(invoice)
    if not least <= invoice.usage_version <= most:
        yield f"its period's use is billed up to {invoice.usage_version}, which is not {least} to {most}"


def _use(invoice: Invoice) -> int:
    """The version of the period's counter."""
    counter = getattr(invoice.subscription, "usage_counter", None)
    return counter.version if counter else 0
