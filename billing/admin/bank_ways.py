"""What a clerk makes of a bank transfer that waits: the forms, and the services they call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import format_usd
from billing.bank import assign_in_parts, assign_transfer, close_transfer, top_up_from_transfer
from billing.models import BankTransfer, Closing, Invoice, Payment, Wallet
from billing.models.invoices import OPEN
from customers.models import Line, LineStatus
from telcox.common.office.admin import Search
from telcox.common.office.forms import MoneyField

PERMISSION = "billing.add_payment"
# Invoices in one form.
PARTS = 6


class Done(NamedTuple):
    """The message of success, and what was recorded, a line for each."""

    message: str
    lines: list[str]


def _invoice_field(*, required: bool, label: Any) -> forms.ModelChoiceField:
    widget = Search(Payment._meta.get_field("invoice"), admin.site)
    return forms.ModelChoiceField(
        Invoice.objects.filter(status__in=OPEN), label=label, widget=widget, required=required
    )


class AssignForm(forms.Form):
    invoice = _invoice_field(required=True, label=_("invoice"))


class PartsForm(forms.Form):
    """Invoices, each with its part of the amount."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, PARTS + 1):
            self.fields[f"invoice_{number}"] = _invoice_field(
                required=number <= 2, label=_("Invoice %d") % number
            )
            self.fields[f"amount_{number}"] = MoneyField(
                required=number <= 2, label=_("Amount %d") % number, max_digits=12, decimal_places=2
            )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for number in range(3, PARTS + 1):
            if (given.get(f"invoice_{number}") is None) != (given.get(f"amount_{number}") is None):
                self.add_error(f"amount_{number}", _("Give both the invoice and its amount."))
        return given


class TopUpForm(forms.Form):
    line = forms.ModelChoiceField(
        Line.objects.exclude(status=LineStatus.TERMINATED),
        label=_("line"),
        widget=Search(Wallet._meta.get_field("line"), admin.site),
    )


class CloseForm(forms.Form):
    closing = forms.ChoiceField(label=_("outcome"), choices=Closing)
    why = forms.CharField(label=_("Why"), max_length=200)


@dataclass(frozen=True)
class Way:
    """A way to settle a transfer: a page with a form, and `run(transfer, given, at, by)`, which calls one
    service and raises DomainError to refuse."""

    name: str
    title: Any
    submit: Any
    form: type[forms.Form]
    run: Callable[[BankTransfer, dict[str, Any], datetime, str], Done]


def _assign(transfer: BankTransfer, given: dict[str, Any], at: datetime, by: str) -> Done:
    payment = assign_transfer(transfer=transfer, invoice=given["invoice"], at=at, by=by)
    return Done(gettext("Assigned to %s") % payment.invoice, [_paid(payment)])


def _assign_in_parts(transfer: BankTransfer, given: dict[str, Any], at: datetime, by: str) -> Done:
    payments = assign_in_parts(transfer=transfer, parts=list(_parts(given)), at=at, by=by)
    named = ", ".join(str(payment.invoice) for payment in payments)
    return Done(gettext("Assigned to %s") % named, [_paid(payment) for payment in payments])


def _parts(given: dict[str, Any]) -> Iterator[tuple[Invoice, Decimal]]:
    for number in range(1, PARTS + 1):
        if given[f"invoice_{number}"] is not None:
            yield given[f"invoice_{number}"], given[f"amount_{number}"]


def _top_up(transfer: BankTransfer, given: dict[str, Any], at: datetime, by: str) -> Done:
    entry = top_up_from_transfer(transfer=transfer, line=given["line"], at=at, by=by)
    told = {
        "line": given["line"],
        "amount": format_usd(entry.amount),
        "balance": format_usd(Wallet.objects.get(pk=entry.wallet_id).balance_usd),  # after the set-off
    }
    message = (
        gettext("%(amount)s were put on the wallet of %(line)s. Balance after that: %(balance)s.") % told
    )
    return Done(message, [message])


def _close(transfer: BankTransfer, given: dict[str, Any], at: datetime, by: str) -> Done:
    closing = Closing(given["closing"])
    close_transfer(transfer=transfer, closing=closing, why=given["why"], at=at, by=by)
    message = gettext("Closed: %s") % closing.label
    return Done(message, [message])


def _paid(payment: Payment) -> str:
    told = {
        "invoice": payment.invoice,
        "amount": format_usd(payment.amount),
        "wallet": format_usd(payment.to_wallet),
        "owed": format_usd(Invoice.objects.get(pk=payment.invoice_id).outstanding),
    }
    if payment.to_wallet:
        return (
            gettext("%(invoice)s receives %(amount)s. The remaining %(wallet)s go to the line's wallet.")
            % told
        )
    return gettext("%(invoice)s receives %(amount)s. Still owed on it: %(owed)s.") % told


WAYS = (
    Way("assign", _("Assign to an invoice"), _("Assign"), AssignForm, _assign),
    Way("parts", _("Assign in parts"), _("Assign"), PartsForm, _assign_in_parts),
    Way("topup", _("Put on a wallet"), _("Top up"), TopUpForm, _top_up),
    Way("close", _("Close: returned, or recorded already"), _("Close"), CloseForm, _close),
)
