"""Admin pages of subscriptions, with their bill so far and their invoices."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import (
    balance_of,
    bill_so_far,
    bills_shown,
    format_decimal,
    format_usd,
    wallet_movement,
)
from billing.admin.packs import SoldPackInline
from billing.invoicing.drafting import draft_invoice
from billing.models import Invoice
from billing.rating.facts import price_periods
from billing.sales.services import activate_subscription
from customers.admin import ActsOnLine
from customers.models import Subscription, TermsRevision
from telcox.common.office.admin import (
    CappedPaginator,
    ReadOnlyInline,
    RowsFilter,
    Step,
    form_for,
    link_to,
    list_page_of,
)
from telcox.common.office.previews import TriedOut
from usage.admin import UsedMixin
from usage.models import UsageEvent


class InvoiceInline(ReadOnlyInline):
    model = Invoice
    related = ("series",)
    fields = ("document", "status", "period", "total", "issued_at", "due_on")
    readonly_fields = fields
    ordering = ("-id",)

    @admin.display(description=_("number"))
    def document(self, invoice: Invoice) -> str:
        return invoice.full_number or "—"


class TermsRevisionInline(ReadOnlyInline):
    model = TermsRevision
    related = ("subscription__line",)
    fields = ("at", "why", "by", "invoice")
    readonly_fields = fields
    ordering = ("-id",)


class WaitingForInvoice(RowsFilter):
    title = _("invoice")
    parameter_name = "invoice"
    offered = (
        (
            "waiting",
            _("Ended, not invoiced"),
            lambda periods: periods.filter(unbilled=True, expiration_at__lte=timezone.now()),
        ),
    )


@admin.register(Subscription)
class SubscriptionAdmin(UsedMixin, TriedOut, ActsOnLine):
    """Subscriptions. The form sells one; from then on it keeps its terms."""

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
    list_filter = (WaitingForInvoice, "prepaid", "plan")
    list_select_related = ("line", "usage_counter")
    search_fields = ("line__phone_number", "line__customer__full_name", "line__customer__dni")
    search_help_text = _("Phone number, name or DNI")
    ordering = ("-id",)
    paginator = CappedPaginator
    inlines = (SoldPackInline, InvoiceInline, TermsRevisionInline)
    fieldsets = (
        (None, {"fields": ("line", "sequence", "plan", "prepaid", "renewed_from")}),
        (
            _("Period"),
            {
                "fields": (
                    ("start_at", "expiration_at"),
                    ("cycle_start_at", "cycle_end_at"),
                ),
                "description": _(
                    "If this is only a part of the full period, price and allowances are in proportion to "
                    "its days."
                ),
            },
        ),
        (_("Used"), {"fields": ("data_used", "minutes_used", "sms_used")}),
        (_("From the previous period"), {"fields": ("carried_in",)}),
        (_("Bill so far"), {"fields": ("bill_so_far",)}),
        (
            _("Sold terms"),
            {
                "fields": (
                    ("plan_name", "price"),
                    "discounts_sold",
                    "data_sold",
                    ("voice_minutes", "sms"),
                    ("overage_price_per_gb", "overage_price_per_minute", "overage_price_per_sms"),
                    ("overage_per_started_gb", "overage_per_started_minute"),
                    ("data_stops", "voice_stops", "sms_stops"),
                    "overage_beyond_spend_limit",
                    ("rollover_share", "rollover_cap"),
                    ("zero_rated_social", "zero_rated_entertainment"),
                    ("zero_rated_system_updates", "zero_rated_navigation_search"),
                ),
                "description": _("For a full period, as the plan offered them when this period was sold."),
            },
        ),
    )
    readonly_fields = (
        "data_used",
        "minutes_used",
        "sms_used",
        "carried_in",
        "bill_so_far",
        "discounts_sold",
        "data_sold",
    )
    steps = (
        Step(
            name="draft_invoice",
            label=_("Draft invoice"),
            done=_("Drafted: %s"),
            permission="billing.add_invoice",
            run=lambda subscription, at, by: draft_invoice(subscription=subscription, at=at),
            when=lambda subscription: bool(subscription.unbilled),
            unasked="discarding the draft undoes it",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        in_force = Invoice.objects.filter(in_force=True).select_related("series")
        return super().get_queryset(request).prefetch_related(Prefetch("invoices", in_force, "in_force"))

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return activate_subscription(line=given["line"], plan=given["plan"], at=at, by=by)

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        line = given["line"]
        before = balance_of(line)
        sold = activate_subscription(line=line, plan=given["plan"], at=at, by=by)
        return {"bills": bills_shown(price_periods([sold], at=at)), "charged": wallet_movement(line, before)}

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        links = [(_("Usage events"), list_page_of(UsageEvent, subscription__id__exact=obj.pk))]
        if request.user.has_perm("customers.add_termsrevision"):
            links.append((_("Revise terms"), form_for(TermsRevision, subscription=obj.pk)))
        return links

    @admin.display(description=_("bill so far"))
    def bill_so_far(self, subscription: Subscription) -> str:
        return bill_so_far(subscription)

    @admin.display(description=_("carried over"))
    def carried_in(self, subscription: Subscription) -> str:
        return gettext("%(data)s of data, %(minutes)d minutes, %(sms)d SMS") % {
            "data": filesizeformat(subscription.carried_in_bytes),
            "minutes": subscription.carried_in_minutes,
            "sms": subscription.carried_in_sms,
        }

    @admin.display(description=_("discounts"))
    def discounts_sold(self, subscription: Subscription) -> str:
        return ", ".join(_discount_shown(each) for each in subscription.discounts) or "—"

    @admin.display(description=_("data"))
    def data_sold(self, subscription: Subscription) -> str:
        return filesizeformat(subscription.data_bytes)

    @admin.display(description=_("line"), ordering="line__phone_number")
    def phone_number(self, subscription: Subscription) -> str:
        return subscription.line.phone_number

    @admin.display(description=_("invoice"))
    def invoiced(self, subscription: Any) -> str:
        return link_to(subscription.in_force[0] if subscription.in_force else None)


def _discount_shown(sold: dict[str, str]) -> str:
    """Return the text of a discount that a subscription was sold with (`Subscription.discounts`)."""
    percent, amount = Decimal(sold["percent"]), Decimal(sold["amount"])
    off = [f"{format_decimal(percent)} %"] * bool(percent) + [format_usd(amount)] * bool(amount)
    return f"{sold['name']} ({' + '.join(off)})"
