"""Admin pages of invoices, their lines and history, the series that number them, and issuers."""

import json
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import format_decimal, format_usd
from billing.admin.numbers import documents_named
from billing.admin.printing import Printed
from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import (
    Channel,
    CreditNote,
    Invoice,
    InvoiceEvent,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Payment,
)
from billing.models.invoices import OPEN
from billing.models.owed import with_owed
from billing.overdue.reminding import days_overdue, remind_by_hand
from telcox.common.calendar import local_date
from telcox.common.identity import has_form_of_ruc
from telcox.common.office.admin import (
    CappedPaginator,
    MadeByService,
    NeverChanged,
    OfficeAdmin,
    ReadOnly,
    ReadOnlyInline,
    RowsFilter,
    Step,
    form_for,
)
from telcox.common.office.forms import IdentityField


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = (
        "position",
        "description",
        "quantity",
        "unit",
        "unit_price",
        "amount",
        "discount",
        "tax",
        "own_tax_rate",
    )
    readonly_fields = fields
    ordering = ("position",)
    show_change_link = False

    @admin.display(description=_("tax rate, if not the document's"))
    def own_tax_rate(self, line: InvoiceLine) -> str:
        return "" if line.tax_rate is None else f"{format_decimal(line.tax_rate * 100)} %"


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("paid_at", "amount", "to_wallet", "payment_method", "reference", "by", "why")
    readonly_fields = fields


class InvoiceEventInline(ReadOnlyInline):
    model = InvoiceEvent
    fields = ("at", "from_status", "to_status", "by", "why")
    related = ("invoice__series",)
    readonly_fields = fields
    show_change_link = False


class CreditNoteInline(ReadOnlyInline):
    model = CreditNote
    fk_name = "corrects"
    related = ("series",)
    fields = ("document", "issued_at", "subtotal", "discount", "tax", "total")
    readonly_fields = fields
    verbose_name_plural = _("credit notes of this invoice")

    @admin.display(description=_("number"))
    def document(self, note: CreditNote) -> str:
        return str(note)


class Overdue(RowsFilter):
    title = _("due")
    parameter_name = "due"
    offered = (
        ("overdue", _("Overdue"), lambda invoices: with_owed(invoices.overdue(local_date(timezone.now())))),
    )


def _is_overdue(invoice: Invoice) -> bool:
    day = invoice.due_on
    return invoice.status in OPEN and day is not None and day < local_date(timezone.now())


def _remind(channel: Channel, invoice: Invoice, at: datetime, by: str) -> Invoice:
    remind_by_hand(invoice=invoice, channel=channel, at=at)
    return invoice


CUSTOMER: Any = (
    _("Customer"),
    {
        "fields": (
            "customer_name",
            ("customer_dni", "customer_identity_kind"),
            "phone_number",
            "customer",
            "subscription",
        )
    },
)


class DocumentAdmin(Printed, MadeByService):
    """Base class of the pages of invoices and of credit notes."""

    list_display_links = ("document",)
    search_fields = ("phone_number", "customer_name", "customer_dni", "=number")
    search_help_text = _("Number, access key, phone number, name or DNI")
    paginator = CappedPaginator
    ordering = ("-id",)

    def rows_named(self, text: str) -> Q | None:
        return documents_named(text)

    @admin.display(description=_("number"), ordering="number")
    def document(self, invoice: Invoice) -> str:
        return str(invoice)


@admin.register(Invoice)
class InvoiceAdmin(DocumentAdmin):
    """Invoices and credit notes. Steps issue or discard a draft. An issued invoice is a document: no page
    changes or deletes it."""

    asks = ("subscription", "discount")
    autocomplete_fields = ("subscription",)
    list_display = (
        "document",
        "status",
        "period",
        "customer_name",
        "phone_number",
        "total",
        "issued_at",
        "due_on",
        "pdf",
    )
    list_filter = ("status", Overdue, "period", "kind", "series")
    list_select_related = ("series",)
    inlines = (InvoiceLineInline, PaymentInline, CreditNoteInline, InvoiceEventInline)
    fieldsets = (
        (None, {"fields": ("document", "kind", "status", "period", "issued_at", "due_on", "corrects")}),
        CUSTOMER,
        (
            _("Amounts in dollars"),
            {
                "fields": (
                    ("subtotal", "discount"),
                    ("tax_rate", "tax"),
                    "total",
                    ("paid", "credited", "refunded"),
                    "outstanding",
                )
            },
        ),
        (_("Calculated from"), {"fields": ("reckoned_from",), "classes": ("collapse",)}),
    )
    readonly_fields = ("document", "paid", "credited", "refunded", "outstanding", "reckoned_from")
    # Columns of the list of overdue invoices only: `Overdue` annotates these with `owed`.
    of_overdue = ("days_overdue", "owed")
    steps = (
        Step(
            name="issue",
            label=_("Issue"),
            done=_("Issued: %s"),
            permission="billing.change_invoice",
            run=lambda invoice, at, by: issue_invoice(invoice=invoice, at=at, by=by),
            when=lambda invoice: invoice.is_draft,
            confirm=_("Issue this invoice? It gets its number and cannot be changed afterwards."),
        ),
        Step(
            name="discard",
            label=_("Discard draft"),
            done=_("Discarded: %s"),
            permission="billing.delete_invoice",
            run=lambda invoice, at, by: discard_draft(invoice=invoice),
            when=lambda invoice: invoice.is_draft,
            confirm=_("Discard this draft?"),
        ),
        *(
            Step(
                name=f"remind_by_{channel.lower()}",
                label=label,
                done=_("Reminder queued: %s"),
                permission="billing.change_invoice",
                run=partial(_remind, channel),
                when=_is_overdue,
                unasked="it moves no money, and is sent once a day at most",
            )
            for channel, label in (
                (Channel.MAIL, _("Remind by e-mail")),
                (Channel.SMS, _("Remind by SMS")),
            )
        ),
    )

    def get_list_display(self, request: HttpRequest) -> Any:
        overdue = request.GET.get(Overdue.parameter_name) == "overdue"
        return (*self.list_display, *self.of_overdue) if overdue else self.list_display

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return draft_invoice(subscription=given["subscription"], discount=given["discount"], at=at)

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        offers: list[tuple[bool, str, Any, str]] = [
            (
                not obj.is_draft and obj.outstanding > 0,
                "billing.add_payment",
                _("Record payment"),
                form_for(Payment, invoice=obj.pk, amount=obj.outstanding),
            ),
            (
                obj.kind == InvoiceKind.INVOICE
                and obj.status not in (InvoiceStatus.DRAFT, InvoiceStatus.VOID),
                "billing.add_creditnote",
                _("Issue credit note"),
                form_for(CreditNote, corrects=obj.pk),
            ),
        ]
        return super().links_from(request, obj) + [
            (label, address)
            for there, right, label, address in offers
            if there and request.user.has_perm(right)
        ]

    @admin.display(description=_("calculated from"))
    def reckoned_from(self, invoice: Invoice) -> str:
        if invoice.rated_from is None:
            return "—"
        written = json.dumps(invoice.rated_from, indent=2, ensure_ascii=False)
        return format_html('<pre class="office-json">{}</pre>', written)

    @admin.display(description=_("paid"))
    def paid(self, invoice: Invoice) -> str:
        return format_usd(invoice.paid)

    @admin.display(description=_("credited"))
    def credited(self, invoice: Invoice) -> str:
        return format_usd(invoice.credited)

    @admin.display(description=_("of which refunded to the wallet"))
    def refunded(self, invoice: Invoice) -> str:
        return format_usd(invoice.refunded)

    @admin.display(description=_("outstanding"))
    def outstanding(self, invoice: Invoice) -> str:
        return format_usd(invoice.outstanding)

    @admin.display(description=_("outstanding"), ordering="owed")
    def owed(self, invoice: Any) -> str:
        return format_usd(invoice.owed)

    @admin.display(description=_("days overdue"), ordering="-due_on")
    def days_overdue(self, invoice: Invoice) -> int:
        return days_overdue(invoice, local_date(timezone.now()))


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnly):
    list_display = (
        "invoice",
        "description",
        "quantity",
        "unit",
        "unit_price",
        "amount",
        "discount",
        "tax",
    )
    list_filter = ("unit",)
    list_select_related = ("invoice__series",)
    search_fields = ("description", "invoice__phone_number", "=invoice__number")
    search_help_text = _("Description, phone number or number")
    paginator = CappedPaginator
    ordering = ("-id",)

    def rows_named(self, text: str) -> Q | None:
        return documents_named(text, "invoice__")


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(OfficeAdmin):
    """Series. Only issuing changes `last_number` and `last_hash`. The prefix cannot be edited once the series
    is saved, nor the pattern once a number was assigned."""

    list_display = ("prefix", "last_number", "next_one")
    search_fields = ("prefix",)
    fields = ("prefix", "pattern", "last_number", "next_one", "last_hash")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        given = ("last_number", "next_one", "last_hash")
        if obj is None:
            return given
        return (*given, "prefix", "pattern") if obj.last_number else (*given, "prefix")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the edited fields only, since numbers may have been assigned meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)

    @admin.display(description=_("next number"))
    def next_one(self, series: InvoiceSeries) -> str:
        return series.written(series.last_number + 1) if series.pk else "—"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(InvoiceEvent)
class InvoiceEventAdmin(ReadOnly):
    list_display = ("invoice", "from_status", "to_status", "at", "by", "why")
    list_filter = ("to_status",)
    list_select_related = ("invoice__series",)
    search_fields = ("=invoice__number", "by")
    search_help_text = _("Invoice number or user")
    paginator = CappedPaginator
    ordering = ("-id",)

    def rows_named(self, text: str) -> Q | None:
        return documents_named(text, "invoice__")


class IssuerForm(forms.ModelForm):
    tax_id = IdentityField(
        label=Issuer._meta.get_field("tax_id").verbose_name,
        help_text=Issuer._meta.get_field("tax_id").help_text,
    )


@admin.register(Issuer)
class IssuerAdmin(NeverChanged, OfficeAdmin):
    """Issuers, which are added and never changed: a new address is a new row, and documents keep the issuer
    they were issued with."""

    form = IssuerForm
    list_display = ("name", "tax_id", "address")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not has_form_of_ruc(obj.tax_id):
            warning = _("This is not a RUC: documents of this issuer are printed without an access key.")
            self.message_user(request, warning, messages.WARNING)
