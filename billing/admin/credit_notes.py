"""Admin pages of credit notes, with the form that issues one."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import balance_of, document_shown, format_usd, wallet_movement
from billing.admin.invoices import CUSTOMER, DocumentAdmin, InvoiceLineInline
from billing.models import CreditNote, Invoice
from billing.settling.crediting import RemainingLine, credit_invoice, remaining_lines
from telcox.common.money import CENT
from telcox.common.office.admin import is_key
from telcox.common.office.forms import MoneyField
from telcox.common.office.previews import TriedOut

LINE = "line_"


class CreditNoteForm(forms.ModelForm):
    why = forms.CharField(label=_("Why"), max_length=200, widget=AdminTextInputWidget)
    bill_again = forms.BooleanField(
        label=_("Bill the period again"),
        required=False,
        help_text=_("In the next billing run; only if the whole invoice is credited"),
    )


class LeftField(MoneyField):
    """How much of a line is credited, in dollars before discount and tax: initially all that is left."""

    def __init__(self, left: RemainingLine) -> None:
        most = left.amounts.amount
        super().__init__(
            label=_("Line %d") % left.line.position,
            required=False,
            initial=most,
            min_value=CENT,
            max_value=most,
            max_digits=12,
            decimal_places=2,
            help_text=_("%(line)s: up to %(most)s")
            % {"line": left.line.description, "most": format_usd(most)},
        )


@admin.register(CreditNote)
class CreditNoteAdmin(TriedOut, DocumentAdmin):
    """Credit notes. The form is opened from the invoice's page (`?corrects=`), and then asks how much of each
    of its lines is credited."""

    form = CreditNoteForm
    preview_title = _("What would be credited")
    asks = ("corrects", "why", "bill_again")
    autocomplete_fields = ("corrects",)
    list_display = ("document", "corrects", "customer_name", "phone_number", "total", "issued_at")
    list_filter = ("issued_at", "series")
    list_select_related = ("series", "corrects__series")
    inlines = (InvoiceLineInline,)
    fieldsets = (
        (None, {"fields": ("document", "corrects", "reason", "period", "issued_at")}),
        CUSTOMER,
        (
            _("Amounts in dollars"),
            {"fields": (("subtotal", "discount"), ("tax_rate", "tax"), "total")},
        ),
    )
    readonly_fields = ("document", "reason")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj:
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, fields=self.asks)
        if invoice := _named(request):
            form.base_fields["corrects"].widget = forms.HiddenInput()
            form.base_fields.update(_fields_of(invoice))
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj or not (invoice := _named(request)):
            return fieldsets
        described = _("Before discount and tax, which go back in proportion")
        amounts = {"fields": tuple(_fields_of(invoice)), "description": described}
        return [(str(invoice), fieldsets[0][1]), (_("Amount to credit of each line"), amounts)]

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return credit_invoice(
            invoice=given["corrects"],
            why=given["why"],
            amounts=_chosen(given),
            bill_again=given["bill_again"],
            at=at,
            by=by,
        )

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        period = given["corrects"].subscription
        before: Decimal | None = balance_of(period.line) if period else None
        note = self.make(given, at, by)
        assert isinstance(note, Invoice)
        shown = {"bills": [document_shown(note)]}
        return {**shown, "charged": wallet_movement(period.line, before)} if period else shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        told = {"total": format_usd(obj.total), "invoice": obj.corrects}
        self.message_user(
            request, gettext("%(total)s dollars of invoice %(invoice)s were credited, tax included.") % told
        )

    def given_again(self, posted: Mapping[str, str]) -> dict[str, str]:
        lines = {name: amount for name, amount in posted.items() if name.startswith(LINE)}
        return {**super().given_again(posted), **lines}

    @admin.display(description=_("why"))
    def reason(self, note: CreditNote) -> str:
        return note.events.order_by("pk").values_list("why", flat=True).first() or "—"


def _named(request: HttpRequest) -> Invoice | None:
    """Return the invoice from whose page the form was opened, or None."""
    key = request.POST.get("corrects") or request.GET.get("corrects")
    return Invoice.objects.filter(pk=key).select_related("series").first() if is_key(key) else None


def _chosen(given: dict[str, Any]) -> dict[int, Decimal] | None:
    """Return the amounts to credit, by position of the line; None for all that is left of the invoice: then
    its lines that cost nothing are credited, too."""
    chosen = {
        int(name.removeprefix(LINE)): amount
        for name, amount in given.items()
        if name.startswith(LINE) and amount is not None
    }
    return None if chosen == _left(given["corrects"]) else chosen


def _left(invoice: Invoice) -> dict[int, Decimal]:
    return {
        position: left.amounts.amount
        for position, left in remaining_lines(invoice).items()
        if left.amounts.amount
    }


def _fields_of(invoice: Invoice) -> dict[str, LeftField]:
    return {
        f"{LINE}{position}": LeftField(left)
        for position, left in remaining_lines(invoice).items()
        if left.amounts.amount
    }
