"""Invoices, and what they are numbered from."""

import json
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import money
from billing.models import (
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Payment,
)
from billing.services import discard_draft, draft_invoice, issue_invoice
from telcox.common.admin import (
    CappedPaginator,
    MadeByService,
    OfficeAdmin,
    ReadOnly,
    ReadOnlyInline,
    Step,
    form_for,
)
from telcox.common.calendar import local_date


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = ("position", "description", "quantity", "unit", "unit_price", "amount", "discount", "tax")
    readonly_fields = fields
    ordering = ("position",)
    show_change_link = False


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("paid_at", "amount", "to_wallet", "payment_method", "reference", "by", "why")
    readonly_fields = fields


class CreditNoteInline(ReadOnlyInline):
    model = CreditNote
    fk_name = "corrects"
    related = ("series",)
    fields = ("document", "issued_at", "subtotal", "discount", "tax", "total")
    readonly_fields = fields
    verbose_name_plural = _("taken back by")

    @admin.display(description=_("number"))
    def document(self, note: CreditNote) -> str:
        return str(note)


class Overdue(admin.SimpleListFilter):
    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("overdue", _("Overdue"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Invoice]:
        return queryset.overdue(local_date(timezone.now())) if self.value() == "overdue" else queryset


CUSTOMER: Any = (
    _("Customer"),
    {"fields": ("customer_name", "customer_dni", "phone_number", "customer", "subscription")},
)


class DocumentAdmin(MadeByService):
    """What the pages of invoices and of credit notes have in common."""

    list_display_links = ("document",)
    search_fields = ("phone_number", "customer_name", "customer_dni", "=number")
    search_help_text = _("Number, phone number, name or DNI")
    paginator = CappedPaginator
    ordering = ("-id",)

    @admin.display(description=_("number"), ordering="number")
    def document(self, invoice: Invoice) -> str:
        return str(invoice)


@admin.register(Invoice)
class InvoiceAdmin(DocumentAdmin):
    """A draft is issued or discarded. An issued invoice is a document: nothing here changes or deletes it."""

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
    )
    list_filter = ("status", Overdue, "period", "kind", "series")
    list_select_related = ("series",)
    inlines = (InvoiceLineInline, PaymentInline, CreditNoteInline)
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
        (_("Reckoned from"), {"fields": ("reckoned_from",), "classes": ("collapse",)}),
    )
    readonly_fields = ("document", "paid", "credited", "refunded", "outstanding", "reckoned_from")
    steps = (
        Step(
            name="issue",
            label=_("Issue"),
            done=_("Issued: %s"),
            permission="billing.change_invoice",
            run=lambda invoice, at, by: issue_invoice(invoice=invoice, at=at, by=by),
            when=lambda invoice: invoice.is_draft,
            confirm=_("Issue this invoice? It gets its number and never changes again."),
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
    )

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
                _("Take back"),
                form_for(CreditNote, corrects=obj.pk),
            ),
        ]
        return [
            (label, address)
            for there, right, label, address in offers
            if there and request.user.has_perm(right)
        ]

    @admin.display(description=_("reckoned from"))
    def reckoned_from(self, invoice: Invoice) -> str:
        if invoice.rated_from is None:
            return "—"
        written = json.dumps(invoice.rated_from, indent=2, ensure_ascii=False)
        return format_html('<pre class="office-json">{}</pre>', written)

    @admin.display(description=_("paid"))
    def paid(self, invoice: Invoice) -> str:
        return money(invoice.paid)

    @admin.display(description=_("credited"))
    def credited(self, invoice: Invoice) -> str:
        return money(invoice.credited)

    @admin.display(description=_("of that back on the wallet"))
    def refunded(self, invoice: Invoice) -> str:
        return money(invoice.refunded)

    @admin.display(description=_("outstanding"))
    def outstanding(self, invoice: Invoice) -> str:
        return money(invoice.outstanding)


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


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(OfficeAdmin):
    """`last_number` is given by issuing, never by hand."""

    list_display = ("prefix", "last_number")
    search_fields = ("prefix",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("prefix", "last_number") if obj else ("last_number",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
