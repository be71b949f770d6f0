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
    Invoice,
    InvoiceEvent,
    InvoiceLine,
    InvoiceSeries,
    InvoiceStatus,
    Issuer,
    Payment,
)
from billing.services import discard_draft, draft_invoice, issue_invoice
from telcox.common.admin import (
    CappedPaginator,
    MadeByService,
    NeverChanged,
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
    fields = ("paid_at", "amount", "payment_method", "reference")
    readonly_fields = fields


class InvoiceEventInline(ReadOnlyInline):
    model = InvoiceEvent
    fields = ("at", "from_status", "to_status", "by", "why")
    related = ("invoice__series",)
    readonly_fields = fields
    show_change_link = False


class Overdue(admin.SimpleListFilter):
    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("overdue", _("Overdue"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Invoice]:
        return queryset.overdue(local_date(timezone.now())) if self.value() == "overdue" else queryset


@admin.register(Invoice)
class InvoiceAdmin(MadeByService):
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
    list_display_links = ("document",)
    list_filter = ("status", Overdue, "period", "kind", "series")
    list_select_related = ("series",)
    search_fields = ("phone_number", "customer_name", "customer_dni", "=number")
    search_help_text = _("Number, phone number, name or DNI")
    paginator = CappedPaginator
    ordering = ("-id",)
    inlines = (InvoiceLineInline, PaymentInline, InvoiceEventInline)
    fieldsets = (
        (None, {"fields": ("document", "kind", "status", "period", "issued_at", "due_on")}),
        (
            _("Customer"),
            {
                "fields": (
                    "customer_name",
                    "customer_dni",
                    "phone_number",
                    "customer",
                    "subscription",
                    "corrects",
                )
            },
        ),
        (
            _("Amounts in dollars"),
            {"fields": ("subtotal", "discount", "tax_rate", "tax", "total", "paid", "outstanding")},
        ),
        (_("Reckoned from"), {"fields": ("reckoned_from",), "classes": ("collapse",)}),
    )
    readonly_fields = ("document", "paid", "outstanding", "reckoned_from")
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
        may_pay = request.user.has_perm("billing.add_payment")
        if not may_pay or obj.is_draft or obj.status == InvoiceStatus.PAID:
            return []
        return [(_("Record payment"), form_for(Payment, invoice=obj.pk, amount=obj.outstanding))]

    @admin.display(description=_("number"), ordering="number")
    def document(self, invoice: Invoice) -> str:
        return str(invoice)

    @admin.display(description=_("reckoned from"))
    def reckoned_from(self, invoice: Invoice) -> str:
        if invoice.rated_from is None:
            return "—"
        written = json.dumps(invoice.rated_from, indent=2, ensure_ascii=False)
        return format_html('<pre class="office-json">{}</pre>', written)

    @admin.display(description=_("paid"))
    def paid(self, invoice: Invoice) -> str:
        return money(invoice.paid)

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
    """`last_number` is given by issuing, never by hand; from the first one on the series stays as it is."""

    list_display = ("prefix", "last_number", "next_one")
    search_fields = ("prefix",)
    fields = ("prefix", "pattern", "last_number", "next_one", "last_hash")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        given = ("last_number", "next_one", "last_hash")
        if obj is None:
            return given
        return (*given, "prefix", "pattern") if obj.last_number else (*given, "prefix")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Writes what was edited and nothing else: numbers may be given meanwhile."""
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
    search_help_text = _("Number, or who it was")
    paginator = CappedPaginator
    ordering = ("-id",)


@admin.register(Issuer)
class IssuerAdmin(NeverChanged, OfficeAdmin):
    """A new address is a new row: documents keep the one that they were issued with."""

    list_display = ("name", "tax_id", "address")
