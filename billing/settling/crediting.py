"""Credit notes, which take documents back: the only way to void one (docs/payments.md)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.drafting import Document, save_draft
from billing.invoicing.issuing import issue_documents
from billing.invoicing.late_use import earlier_invoices, release_late_use
from billing.invoicing.steps import update_status
from billing.models import EntryKind, Invoice, InvoiceKind, InvoiceLine, InvoiceStatus
from billing.overdue.suspending import resume_if_paid_up
from billing.settling.paying import post_to_wallet_of
from billing.wallets.setting_off import lock_payable, pay_from_credit
from customers.models import Subscription
from telcox.common.errors import DomainError, Unprocessable
from telcox.common.money import amount_refusal, cents

# Fields that a credit note copies from the document that it takes back.
_MIRRORED = (
    "customer",
    "subscription",
    "period",
    "customer_dni",
    "customer_identity_kind",
    "customer_name",
    "customer_address",
    "language",
    "phone_number",
    "tax_rate",
)
_MILLIONTH = Decimal("0.000001")


class LineAmounts(NamedTuple):
    """Amounts of an invoice line, in dollars."""

    amount: Decimal
    discount: Decimal
    tax: Decimal

    def less(self, part: "LineAmounts") -> "LineAmounts":
        return LineAmounts(self.amount - part.amount, self.discount - part.discount, self.tax - part.tax)

    def part(self, amount: Decimal) -> "LineAmounts":
        """Return `amount` with the same share of discount and tax, in whole cents. If each part is taken from
        what is left, the parts add up to the whole, in any order and of any size."""
        if not self.amount:
            return self
        return LineAmounts(
            amount, cents(self.discount * amount / self.amount), cents(self.tax * amount / self.amount)
        )


class RemainingLine(NamedTuple):
    """What is left to credit of a line. `untouched`: no credit note has taken anything of it."""

    line: InvoiceLine
    amounts: LineAmounts
    untouched: bool = True


def remaining_lines(invoice: Invoice) -> dict[int, RemainingLine]:
    """Return what is left to credit of the invoice's lines, by their position."""
    left = {
        line.position: RemainingLine(line, LineAmounts(line.amount, line.discount, line.tax))
        for line in invoice.lines.order_by("position")
    }
    taken = InvoiceLine.objects.filter(invoice__corrects=invoice).order_by("pk")
    for position, *amounts in taken.values_list("credits", *LineAmounts._fields):
        line, before, _untouched = left[position]
        left[position] = RemainingLine(line, before.less(LineAmounts(*amounts)), untouched=False)
    return left


@transaction.atomic
def credit_invoice(
    *,
    invoice: Invoice,
    why: str,
    amounts: Mapping[int, Decimal] | None = None,
    at: datetime,
    by: str = "",
    bill_again: bool = False,
) -> Invoice:
    """Credit an issued invoice and return the credit note: all that is left of it; or `amounts`, by the
    position of its lines, in dollars before discount and tax, which are credited in proportion.

    Refund what was paid to the line's wallet, and set it off against the line's other open invoices. An
    invoice that is credited completely is void; with `bill_again`, its period is billed again, and so is the
    late usage that it charged.

    Raise Unprocessable if a line or an amount is invalid; DomainError if the document is a draft, a credit
    note or void, if less is left of a line, if a part is to be billed again, or if there is no wallet for
    what was paid.
    """
    # The line is locked before its wallet, because it may be resumed afterwards.
    lines = [invoice.subscription.line_id] if invoice.subscription else []
    locked = lock_payable(lines, besides=[invoice.pk, *earlier_invoices(invoice)])
    invoice = locked.pop(invoice.pk)
    _require_creditable(invoice)
    left = remaining_lines(invoice)
    credits = _lines_of_all(left) if amounts is None else _lines_of(left, amounts)
    if not credits:
        raise Unprocessable(_("There is nothing left to credit"), reason="nothing_to_credit")
    note = Invoice(
        kind=InvoiceKind.CREDIT_NOTE,
        corrects=invoice,
        in_force=None,
        **{field: getattr(invoice, field) for field in _MIRRORED},
        subtotal=sum(line.amount for line in credits),
        discount=sum(line.discount for line in credits),
        tax=sum(line.tax for line in credits),
    )
    note.total = note.subtotal - note.discount + note.tax
    if bill_again:
        _bill_again(invoice, wholly=note.subtotal == sum(of_it.amounts.amount for of_it in left.values()))
    paid_of_it, nth = note.total - invoice.outstanding, invoice.corrections.count() + 1
    # Saved as a draft first, so that the wallet's entry can refer to it: wallets are locked before the
    # series.
    save_draft(Document(note, credits))
    if paid_of_it > 0:
        post_to_wallet_of(
            invoice,
            EntryKind.REFUND,
            paid_of_it,
            reference=entry_of_note(invoice.pk, nth),
            description=f"Nota de crédito de la factura {invoice.full_number}",
            credit_note=note,
            at=at,
            by=by,
        )
        pay_from_credit(locked, at=at, by=by)
    issue_documents(
        [Document(note, credits)], series=settings.CREDIT_NOTE_SERIES, payments={}, at=at, by=by, why=why
    )
    update_status(invoice, at=at, by=by, why=f"{note.full_number}: {why}"[:200])
    if invoice.status == InvoiceStatus.VOID:
        release_late_use(invoice)
    resume_if_paid_up(invoice=invoice, at=at, by=by)
    return note


def entry_of_note(invoice_id: int, nth: int) -> str:
    """Return the idempotency key of the wallet's entry that the invoice's nth credit note makes, if it makes
    one."""
    return f"credit note {invoice_id} {nth}"


def _require_creditable(invoice: Invoice) -> None:
    if invoice.is_draft:
        raise DomainError(_("A draft cannot be credited: discard it"), reason="not_issued")
    if invoice.corrects_id:
        raise DomainError(_("A credit note cannot be credited"), reason="is_credit_note")
    if invoice.status == InvoiceStatus.VOID:
        raise DomainError(_("The invoice is already void"), reason="already_void")


def _bill_again(invoice: Invoice, *, wholly: bool) -> None:
    if not wholly:
        raise DomainError(
            _("The period can be billed again only if the whole invoice is credited"),
            reason="not_wholly_credited",
        )
    if not Subscription.objects.filter(pk=invoice.subscription_id).update(unbilled=True):
        raise DomainError(_("The invoice has no period that can be billed again"), reason="no_period")


def _lines_of_all(left: Mapping[int, RemainingLine]) -> list[InvoiceLine]:
    """Return credit lines for all that is left. Lines that cost nothing are credited once."""
    rest = [of_it for of_it in left.values() if of_it.amounts.amount or of_it.untouched]
    return [_line(nth, of_it.line, of_it.amounts) for nth, of_it in enumerate(rest, start=1)]


def _lines_of(left: Mapping[int, RemainingLine], amounts: Mapping[int, Decimal]) -> list[InvoiceLine]:
    lines = []
    for nth, (position, amount) in enumerate(sorted(amounts.items()), start=1):
        if refusal := amount_refusal(amount):
            raise refusal
        if position not in left:
            raise Unprocessable(_("The invoice has no line %d") % position, reason="unknown_line")
        line, rest, _untouched = left[position]
        if amount > rest.amount:
            raise DomainError(
                _("At most %(left)s of line %(line)d can be credited")
                % {"line": position, "left": f"{rest.amount:.2f}"},
                reason="more_than_left",
            )
        lines.append(_line(nth, line, rest.part(amount)))
    return lines


def _line(position: int, line: InvoiceLine, part: LineAmounts) -> InvoiceLine:
    share = part.amount / line.amount if line.amount else Decimal(1)
    return InvoiceLine(
        position=position,
        description=line.description,
        quantity=(line.quantity * share).quantize(_MILLIONTH),
        unit=line.unit,
        unit_price=line.unit_price,
        tax_rate=line.tax_rate,
        **part._asdict(),
        credits=line.position,
    )
