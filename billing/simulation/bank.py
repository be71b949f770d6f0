"""The simulated operator's bank: transfers of customers, statements as banks write them, and the clerk who
settles what waits."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from random import Random

from django.db.models import Q

from billing.bank import (
    ImportReport,
    assign_in_parts,
    assign_transfer,
    close_transfer,
    import_statement,
    top_up_from_transfer,
)
from billing.models import (
    BankTransfer,
    Closing,
    EntryKind,
    Invoice,
    Payment,
    PaymentMethod,
    WalletEntry,
)
from billing.settling.paying import receive_payment, reverse_payment
from billing.simulation.world import World
from billing.wallets import top_up
from customers.models import Line
from telcox.common.calendar import local_date
from telcox.common.errors import NotFound

ZERO = Decimal(0)
# How far back a statement repeats rows of the ones before it.
OVERLAP = timedelta(days=3)
_LATEST = 30


@dataclass(frozen=True)
class _Row:
    """A row of a statement, in dollars. Its text is that of no other movement. `kind` is "credit", or why
    nothing of it is certain to be ours: see `report_other_rows`."""

    day: date
    reference: str
    amount: Decimal
    text: str
    payer: str
    kind: str = "credit"


class Bank:
    """Receive transfers, write them into statements, and keep an account of them: `find_faults` compares it
    with the books."""

    def __init__(self, world: World, random: Random) -> None:
        self._world, self._random = world, random
        # Rows of statements, by kind; repeated rows are counted again.
        self.rows: Counter[str] = Counter()
        self._number = 0
        self._surprises: list[str] = []
        self._unreported: list[_Row] = []
        self._reported: list[_Row] = []

    def steps(self) -> dict[Callable[[datetime], None], int]:
        """Return the steps of customers and clerks, with their weights."""
        return {
            self.pay_bill: 8,
            self.pay_two_bills: 1,
            self.send_top_up: 2,
            self.pay_and_tell: 3,
            self.top_up_and_tell: 2,
            self.report_other_rows: 3,
            self.settle_transfer: 5,
            self.reverse_transfer: 2,
        }

    # --- What customers send ---

    def pay_bill(self, at: datetime) -> None:
        """Send what a bill is over, a part of it, or more; name the bill, the number, or the identity."""
        invoice = self._open_bill()
        share = self._random.choice(["1", "1", "1", "1", "0.5", "1.2"])
        self._send(at, _cents(invoice.outstanding * Decimal(share)), self._naming(invoice))

    def pay_two_bills(self, at: datetime) -> None:
        one, other = self._open_bill(), self._open_bill()
        if one.pk == other.pk:
            raise NotFound("There is one open bill", reason="nothing_there")
        text = f"{_with_other_marks(one)} y {other.full_number}"
        self._send(at, one.outstanding + other.outstanding, text)

    def send_top_up(self, at: datetime) -> None:
        """Send money that nothing says what it is for."""
        self._send(at, Decimal(self._random.choice(["5.00", "20.00"])), "recarga")

    def pay_and_tell(self, at: datetime) -> None:
        """Pay a bill by transfer, and have a clerk record it before the bank reports it."""
        invoice = self._open_bill()
        row = self._row(at, invoice.outstanding, f"Factura {_with_other_marks(invoice)}")
        receive_payment(
            invoice=invoice,
            amount=row.amount,
            payment_method=PaymentMethod.TRANSFERENCIA,
            reference=row.reference,
            at=at,
            by="luis",
        )
        self._unreported.append(row)

    def top_up_and_tell(self, at: datetime) -> None:
        """Top up a line by transfer, post-paid or not, at the counter, before the bank reports it."""
        line = self._line()
        row = self._row(at, Decimal(self._random.choice(["5.00", "30.00"])), f"recarga {line.phone_number}")
        top_up(
            line=line,
            amount=row.amount,
            method=PaymentMethod.TRANSFERENCIA,
            reference=row.reference,
            at=at,
            by="luis",
            staff=True,
        )
        self._unreported.append(row)

    def report_other_rows(self, at: datetime) -> None:
        """Let the bank report something that is no money of ours: money that went, another currency, a
        transfer that is pending, a second one under the reference of another."""
        kind = self._random.choice(["debit", "debit", "foreign", "pending", "shared"])
        row = replace(self._row(at, Decimal(self._random.choice(["7.35", "20.70"])), "varios"), kind=kind)
        if kind == "shared":
            if not self._reported:
                raise NotFound("The bank has reported nothing yet", reason="nothing_there")
            row = replace(row, reference=self._random.choice(self._reported[-_LATEST:]).reference)
        self._unreported.append(row)

    def _send(self, at: datetime, amount: Decimal, text: str) -> None:
        if amount <= 0:
            raise NotFound("Nothing is owed", reason="nothing_there")
        self._unreported.append(self._row(at, amount, text))

    def _row(self, at: datetime, amount: Decimal, text: str) -> _Row:
        self._number += 1
        reference = self._random.choice(["TR-{:05d}", "{:09d}", "7{:06d}", "web{:05d}"]).format(self._number)
        return _Row(
            local_date(at), reference, amount, f"{text} op{self._number}", f"CLIENTE {self._number % 97}"
        )

    def _open_bill(self) -> Invoice:
        """Return one of the latest bills on which something is owed."""
        bills = [
            bill
            for bill in Invoice.objects.bills().filter(status="ISSUED").order_by("-number")[:_LATEST]
            if bill.outstanding > 0
        ]
        if not bills:
            raise NotFound("No bill is open", reason="nothing_there")
        return self._random.choice(bills)

    def _naming(self, invoice: Invoice) -> str:
        """Return a text that names the bill, the number or the customer."""
        texts = [
            f"Factura {invoice.full_number}",
            f"PAGO {_with_other_marks(invoice)}",
            f"pago +593 {invoice.phone_number[1:]}",
            f"{invoice.customer_dni} luz y agua",
        ]
        return self._random.choice(texts)

    def _line(self) -> Line:
        if not self._world.living:
            raise NotFound("There is no line", reason="nothing_there")
        return Line.objects.get(pk=self._random.choice(self._world.living).pk)

    # --- What the bank reports ---

    def report(self, at: datetime) -> None:
        """Write a statement of what came since the last one, and of the days before once more; import it."""
        since = local_date(at) - OVERLAP
        known = [row for row in self._reported if row.day >= since and self._random.random() < 0.5]
        rows = [*known, *self._unreported]
        if not rows:
            return
        self._random.shuffle(rows)
        statement = self._random.choice(_LAYOUTS)(rows, self._spelled)
        report = import_statement(file=BytesIO(statement), source=f"banco-{at:%Y%m%d}.csv", at=at, by="ana")
        self._compare(at, rows, report)
        self._reported += [row for row in self._unreported if row.kind == "credit"]
        self._unreported = []

    def _spelled(self, reference: str) -> str:
        """Return the reference as banks and spreadsheets leave it."""
        if reference.isdecimal():
            dirty = [reference, reference.lstrip("0"), f'="{reference}"', f"{reference}.0"]
        else:
            dirty = [reference, reference.lower(), reference.replace("-", " "), reference.replace("-", "–")]
        return self._random.choice(dirty)

    def _compare(self, at: datetime, rows: list[_Row], report: ImportReport) -> None:
        """Note where the report does not count what the statement has."""
        for row in rows:
            self.rows[row.kind] += 1
        debits = sum(row.kind == "debit" for row in rows)
        refused = sum(row.kind in ("foreign", "pending") for row in rows)
        if (report.read, report.debits) != (len(rows), debits) or report.bad < refused:
            self._surprises.append(
                f"The statement of {at:%Y-%m-%d} has {len(rows)} rows, of these {debits} debits and "
                f"{refused} that are no money, and its report {report.read}, {report.debits} and {report.bad}"
            )

    # --- What the clerk does ---

    def settle_transfer(self, at: datetime) -> None:
        """Settle a transfer that waits: assign it, in parts as well, put it on a wallet, or close it."""
        waiting = list(BankTransfer.objects.exclude(problem="").order_by("pk")[:_LATEST])
        if not waiting:
            raise NotFound("No transfer waits", reason="nothing_there")
        transfer, draw = self._random.choice(waiting), self._random.random()
        if draw < 0.5:
            assign_transfer(transfer=transfer, invoice=self._open_bill(), at=at, by="ana")
        elif draw < 0.65:
            part = _cents(transfer.rest / 2)
            parts = [(self._open_bill(), part), (self._open_bill(), transfer.rest - part)]
            assign_in_parts(transfer=transfer, parts=parts, at=at, by="ana")
        elif draw < 0.85:
            top_up_from_transfer(transfer=transfer, line=self._line(), at=at, by="ana")
        else:
            close_transfer(transfer=transfer, closing=Closing.RETURNED, why="Sin datos", at=at, by="ana")

    def reverse_transfer(self, at: datetime) -> None:
        """Reverse a payment by bank transfer; the transfer waits again."""
        paid = Payment.objects.filter(payment_method=PaymentMethod.TRANSFERENCIA, reverses=None)
        latest = list(paid.order_by("-pk")[:_LATEST])
        if not latest:
            raise NotFound("Nothing was paid by transfer", reason="nothing_there")
        payment = self._random.choice(latest)
        reverse_payment(payment=payment, why="Devuelta por el banco", at=at, by="ana")

    # --- What it must come to ---

    def find_faults(self) -> Iterator[str]:
        """Yield what differs between the bank's account and the books: a transfer that is not kept once, with
        its amount, and money that is recorded twice or not at all. Nothing may be unreported."""
        yield from self._surprises
        kept = Counter(BankTransfer.objects.values_list("concept", "amount"))
        for row in self._reported:
            if (times := kept[row.text, row.amount]) != 1:
                yield f"The transfer {row.text!r} over {row.amount} is kept {times} times"
        came = sum((row.amount for row in self._reported), ZERO)
        others = BankTransfer.objects.exclude(concept__in=[row.text for row in self._reported])
        came += sum(others.values_list("amount", flat=True), ZERO)
        if came != (recorded := _recorded()):
            yield f"{came} dollars came by bank transfer, and {recorded} are recorded"


def _recorded() -> Decimal:
    """Return the dollars of payments and top-ups by bank transfer, of transfers that wait, and of those that
    were sent back."""
    paid = Payment.objects.filter(
        payment_method=PaymentMethod.TRANSFERENCIA, reverses=None, reversal=None
    ).exclude(reference__startswith="payment-")
    topped_up = WalletEntry.objects.filter(kind=EntryKind.TOP_UP).filter(
        Q(references__isnull=False) | Q(transfer__isnull=False)
    )
    returned = BankTransfer.objects.filter(closed=Closing.RETURNED)
    waiting = BankTransfer.objects.filter(entry=None, closed="")
    return sum(
        (
            *(payment.received for payment in paid),
            *(entry.amount for entry in topped_up.distinct()),
            *(transfer.amount for transfer in returned),
            *(transfer.rest for transfer in waiting),
        ),
        ZERO,
    )


# --- Statements, as banks write them ---


def _with_semicolons(rows: Sequence[_Row], spelled: Callable[[str], str]) -> bytes:
    """Write one column of amounts, with marks, in the code page of Windows."""
    lines = ["Fecha;Referencia;Concepto;Ordenante;Tipo;Valor;Moneda;Estado"]
    for row in rows:
        mark = "N/D" if row.kind == "debit" else "N/C"
        amount = f"{row.amount:,.2f}".translate(_COMMA_FIRST)
        cells = (f"{row.day:%d/%m/%Y}", spelled(row.reference), row.text, row.payer, mark, amount)
        lines.append(";".join([*cells, _currency(row), _state(row)]))
    return "\r\n".join(lines).encode("cp1252")


def _with_tabs(rows: Sequence[_Row], spelled: Callable[[str], str]) -> bytes:
    """Write a column for each side, in UTF-16, below lines of a letterhead."""
    lines = [
        "Banco\tEstado de cuenta",
        "",
        "Fecha\tDocumento\tDetalle\tCliente\tDébitos\tCréditos\tDivisa\tEstado",
    ]
    for row in rows:
        amount = f"{row.amount:,.2f}"
        sides = (amount, "") if row.kind == "debit" else ("", amount)
        cells = (f"{row.day:%d-%m-%Y}", spelled(row.reference), row.text, row.payer, *sides)
        lines.append("\t".join([*cells, _currency(row), _state(row)]))
    return "\n".join(lines).encode("utf-16")


def _with_quotes(rows: Sequence[_Row], spelled: Callable[[str], str]) -> bytes:
    """Write signed amounts and a balance, all in quotes, with line breaks in the texts."""
    lines = ["Fecha,Referencia,Concepto,Ordenante,Importe,Saldo,Moneda,Estado"]
    for row in rows:
        amount = f"{-row.amount if row.kind == 'debit' else row.amount:.2f}"
        text = row.text.replace(" ", "\n", 1) if row.kind == "credit" else row.text
        cells = (f"{row.day:%Y-%m-%d}", spelled(row.reference), text, row.payer, amount, "1500.00")
        quoted = (cell.replace('"', '""') for cell in (*cells, _currency(row), _state(row)))
        lines.append(",".join(f'"{cell}"' for cell in quoted))
    return "\r\n".join(lines).encode("utf-8-sig")


_LAYOUTS = (_with_semicolons, _with_tabs, _with_quotes)
_COMMA_FIRST = str.maketrans(",.", ".,")


def _currency(row: _Row) -> str:
    return "EUR" if row.kind == "foreign" else "USD"


def _state(row: _Row) -> str:
    return "Pendiente" if row.kind == "pending" else "Efectivo" if row.kind == "debit" else "Procesado"


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def _with_other_marks(invoice: Invoice) -> str:
    """Return the number of an invoice as telephones write it."""
    return str(invoice.full_number).replace("-", "–")
