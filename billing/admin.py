"""What is owed and paid, and subscriptions with their invoices."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

import billing.admin_wallets  # noqa: F401  # registers its pages
from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceStatus, Payment, TaxRate
from billing.sales.services import activate_subscription
from billing.services import discard_draft, draft_invoice, issue_invoice, record_payment
from customers.models import Subscription
from telcox.common.admin import (
    CappedPaginator,
    MadeByService,
    OfficeAdmin,
    ReadOnly,
    ReadOnlyInline,
    Step,
    form_for,
    link_to,
    list_of,
)
from telcox.common.calendar import local_date
from usage.admin import UsedMixin
from usage.models import UsageEvent


class InvoiceInline(ReadOnlyInline):
    model = Invoice
    related = ("series",)
    fields = ("full_number", "status", "period", "total", "issued_at", "due_on")
    readonly_fields = fields
    ordering = ("-id",)


class WaitingForInvoice(admin.SimpleListFilter):
    title = _("invoice")
    parameter_name = "invoice"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("Ended, not invoiced"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        if self.value() != "waiting":
            return queryset
        in_force = Invoice.objects.filter(subscription=OuterRef("pk"), in_force=True)
        return queryset.filter(~Exists(in_force), expiration_at__lte=timezone.now())


@admin.register(Subscription)
class SubscriptionAdmin(UsedMixin, MadeByService):
    """A subscription is sold, and from then on keeps its terms."""

    asks = ("line", "plan")
    autocomplete_fields = ("line", "plan")
    list_display = (
        "phone_number",
        "sequence",
        "plan_name",
        "start_at",
        "expiration_at",
        "data_used",
        "invoiced",
    )
    list_filter = (WaitingForInvoice, "plan")
    list_select_related = ("line", "usage_counter")
    search_fields = ("line__phone_number", "line__customer__full_name", "line__customer__dni")
    search_help_text = _("Phone number, name or DNI")
    ordering = ("-id",)
    paginator = CappedPaginator
    inlines = (InvoiceInline,)
    fieldsets = (
        (None, {"fields": ("line", "sequence", "plan", "start_at", "expiration_at", "renewed_from")}),
        (_("Used"), {"fields": ("data_used", "minutes_used", "sms_used")}),
        (
            _("Sold terms"),
            {
                "fields": (
                    "plan_name",
                    "price",
                    "overage_price_per_gb",
                    "overage_price_per_minute",
                    "overage_price_per_sms",
                )
            },
        ),
    )
    readonly_fields = ("data_used", "minutes_used", "sms_used")
    steps = (
        Step(
            name="draft_invoice",
            label=_("Draft invoice"),
            done=_("Drafted: %s"),
            permission="billing.add_invoice",
            run=lambda subscription, at, by: draft_invoice(subscription=subscription, at=at),
            when=lambda subscription: not subscription.invoices.filter(in_force=True).exists(),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        in_force = Invoice.objects.filter(in_force=True).select_related("series")
        return super().get_queryset(request).prefetch_related(Prefetch("invoices", in_force, "in_force"))

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return activate_subscription(line=given["line"], plan=given["plan"], at=at)

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        return [(_("Usage events"), list_of(UsageEvent, subscription__id__exact=obj.pk))]

    @admin.display(description=_("line"), ordering="line__phone_number")
    def phone_number(self, subscription: Subscription) -> str:
        return subscription.line.phone_number

    @admin.display(description=_("invoice"))
    def invoiced(self, subscription: Any) -> str:
        return link_to(subscription.in_force[0] if subscription.in_force else None)


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = ("position", "description", "quantity", "unit", "unit_price", "amount")
    readonly_fields = fields
    ordering = ("position",)
    show_change_link = False


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("paid_at", "amount", "payment_method", "reference")
    readonly_fields = fields


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
    inlines = (InvoiceLineInline, PaymentInline)
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
    )
    readonly_fields = ("document", "paid", "outstanding")
    steps = (
        Step(
            name="issue",
            label=_("Issue"),
            done=_("Issued: %s"),
            permission="billing.change_invoice",
            run=lambda invoice, at, by: issue_invoice(invoice=invoice, at=at),
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

    @admin.display(description=_("paid"))
    def paid(self, invoice: Invoice) -> Any:
        return invoice.paid

    @admin.display(description=_("outstanding"))
    def outstanding(self, invoice: Invoice) -> Any:
        return invoice.outstanding


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnly):
    list_display = ("invoice", "description", "quantity", "unit", "unit_price", "amount")
    list_filter = ("unit",)
    list_select_related = ("invoice__series",)
    search_fields = ("description", "invoice__phone_number", "=invoice__number")
    search_help_text = _("Description, phone number or number")
    paginator = CappedPaginator
    ordering = ("-id",)


@admin.register(Payment)
class PaymentAdmin(MadeByService):
    asks = ("invoice", "amount", "payment_method", "paid_at", "reference")
    autocomplete_fields = ("invoice",)
    list_display = ("paid_at", "invoice", "amount", "payment_method", "reference")
    list_filter = ("payment_method", "paid_at")
    list_select_related = ("invoice__series",)
    search_fields = ("reference", "invoice__phone_number", "invoice__customer_name", "=invoice__number")
    search_help_text = _("Reference, number, phone number or name")
    paginator = CappedPaginator

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"paid_at": timezone.now(), **super().get_changeform_initial_data(request)}

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return record_payment(
            invoice=given["invoice"],
            amount=given["amount"],
            payment_method=given["payment_method"],
            reference=given["reference"],
            at=given["paid_at"],
        )


@admin.register(TaxRate)
class TaxRateAdmin(OfficeAdmin):
    """Invoices keep the rate they were drafted with."""

    list_display = ("name", "rate", "valid_from")


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(OfficeAdmin):
    """`last_number` is given by issuing, never by hand."""

    list_display = ("prefix", "last_number")
    search_fields = ("prefix",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("prefix", "last_number") if obj else ("last_number",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
