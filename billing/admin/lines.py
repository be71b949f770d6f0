"""Admin pages of lines, with what they have and the steps of their life, and of plan changes."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import balance_of, bills_shown, format_usd, wallet_movement
from billing.models import Discount
from billing.sales.holders import change_holder
from billing.sales.services import (
    Sale,
    cancel_end,
    cancel_plan_change,
    change_plan,
    schedule_end,
    schedule_plan_change,
    terminate_line,
)
from customers.admin import (
    GIVEN_ONCE,
    ActsOnLine,
    LineEventInline,
    LineForm,
    LineStepForm,
    SuspensionInline,
    save_edited,
    with_running,
)
from customers.models import HolderChange, Line, LineStatus, PlanChange, SoldPack, Subscription, Suspension
from customers.services import resume_line
from telcox.common.office.admin import (
    CappedPaginator,
    OfficeAdmin,
    ReadOnlyInline,
    RowsFilter,
    Step,
    change_page_of,
    form_for,
    list_page_of,
    row_version,
)
from telcox.common.office.forms import ConfirmBox
from telcox.common.office.previews import TriedOut
from usage.admin import SubscriptionInline, share_of_data


class PlanChangeInline(ReadOnlyInline):
    model = PlanChange
    related = ("line", "plan")
    fields = ("asked_at", "plan", "at_period_end", "done_at", "is_pending")
    readonly_fields = fields


class HolderChangeInline(ReadOnlyInline):
    model = HolderChange
    fk_name = "line"
    related = ("line", "previous", "customer")
    fields = ("at", "previous", "customer", "why", "by")
    readonly_fields = fields


class NotRenewed(RowsFilter):
    title = _("renewal")
    parameter_name = "renewal"
    offered = (("lapsed", _("Prepaid, not renewed"), lambda lines: lines.lapsed(timezone.now())),)


def _in_use(line: Line) -> bool:
    return line.status != LineStatus.TERMINATED


def _runs(line: Any) -> bool:
    """Return whether the line has a current period that has not ended. Its queryset must have prefetched
    `current` (`LineAdmin.get_queryset`)."""
    return bool(line.current) and not line.current[0].is_expired(timezone.now())


@admin.register(Line)
class LineAdmin(OfficeAdmin):
    """Lines. Their properties are edited here; everything that happens to a line is a step, or has a form of
    its own."""

    form = LineForm
    versioned = True
    list_display = (
        "phone_number",
        "customer",
        "product_type",
        "prepaid",
        "status",
        "plan",
        "until",
        "used",
    )
    list_filter = ("status", "product_type", "prepaid", NotRenewed, "auto_renew")
    search_fields = ("phone_number", "customer__full_name", "customer__dni")
    search_help_text = _("Phone number, name or DNI")
    autocomplete_fields = ("customer",)
    list_select_related = ("customer",)
    fieldsets = (
        (None, {"fields": ("customer", "phone_number", "product_type", "prepaid", "auto_renew")}),
        (
            _("Now"),
            {
                "fields": (
                    ("status", "ends_with_period"),
                    ("resumed_at", "terminated_at"),
                    "plan",
                    "until",
                    "used",
                    "balance",
                )
            },
        ),
    )
    readonly_fields = (
        "status",
        "ends_with_period",
        "resumed_at",
        "terminated_at",
        "plan",
        "until",
        "used",
        "balance",
    )
    inlines = (
        SubscriptionInline,
        PlanChangeInline,
        SuspensionInline,
        HolderChangeInline,
        LineEventInline,
    )
    steps = (
        Step(
            name="resume",
            label=_("Resume"),
            done=_("Back in service: %s"),
            permission="customers.change_suspension",
            run=lambda line, at, by: resume_line(line=line, at=at, by=by),
            when=lambda line: line.status == LineStatus.SUSPENDED,
            unasked="a suspension undoes it",
        ),
        Step(
            name="cancel_plan_change",
            label=_("Cancel plan change"),
            done=_("Plan change cancelled: %s"),
            permission="customers.delete_planchange",
            run=lambda line, at, by: cancel_plan_change(line=line, at=at, by=by),
            when=lambda line: bool(line.pending),
            unasked="another plan change undoes it",
        ),
        Step(
            name="schedule_end",
            label=_("End with the period"),
            done=_("Will end with the period: %s"),
            permission="customers.delete_line",
            run=lambda line, at, by: schedule_end(line=line, at=at, by=by),
            when=lambda line: _in_use(line) and _runs(line) and not line.ends_with_period,
            confirm=_(
                "End this line when its period ends? Its number will then be out of service permanently."
            ),
            on_list=False,
        ),
        Step(
            name="cancel_end",
            label=_("Cancel the scheduled end"),
            done=_("Stays in service: %s"),
            permission="customers.delete_line",
            run=lambda line, at, by: cancel_end(line=line, at=at, by=by),
            when=lambda line: line.ends_with_period,
            unasked="“End with the period” undoes it",
        ),
        Step(
            name="terminate",
            label=_("Terminate now"),
            done=_("Terminated: %s"),
            permission="customers.delete_line",
            run=lambda line, at, by: terminate_line(line=line, at=at, by=by),
            when=_in_use,
            confirm=_("Terminate this line now? This cannot be undone."),
            on_list=False,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        current = Subscription.objects.current().select_related("usage_counter")
        lines = with_running(super().get_queryset(request))
        return lines.prefetch_related(
            Prefetch("subscriptions", current, "current"),
            Prefetch("plan_changes", PlanChange.objects.pending(), "pending"),
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj else self.fieldsets[:1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The holder of a line that exists is changed by a step, and its number is never changed."""
        return (*super().get_readonly_fields(request, obj), *(GIVEN_ONCE if obj else ()))

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            save_edited(obj, form)
        else:
            obj.save()

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        links = [(_("All subscriptions"), list_page_of(Subscription, line__id__exact=obj.pk))]
        of_line = {"line": obj.pk, "seen": row_version(obj)}
        active, runs = obj.status == LineStatus.ACTIVE, _runs(obj)
        offers: list[tuple[bool, str, Any, str]] = [
            (
                active and not runs,
                "customers.add_subscription",
                _("Sell a plan"),
                form_for(Subscription, **of_line),
            ),
            (
                _in_use(obj) and runs,
                "customers.add_planchange",
                _("Change plan"),
                form_for(PlanChange, **of_line),
            ),
            (active, "customers.add_holderchange", _("Change holder"), form_for(HolderChange, **of_line)),
            (active and runs, "customers.add_soldpack", _("Buy a pack"), form_for(SoldPack, **of_line)),
            (active, "customers.add_suspension", _("Suspend"), form_for(Suspension, **of_line)),
            (
                _in_use(obj),
                "billing.add_discount",
                _("Discount for the customer"),
                form_for(Discount, customer=obj.customer_id),
            ),
        ]
        return links + [
            (label, address)
            for there, right, label, address in offers
            if there and request.user.has_perm(right)
        ]

    @admin.display(description=_("plan"))
    def plan(self, line: Any) -> str:
        if not line.current:
            return "—"
        return format_html('<a href="{}">{}</a>', change_page_of(line.current[0]), line.current[0].plan_name)

    @admin.display(description=_("expiration"))
    def until(self, line: Any) -> str:
        if not line.current:
            return "—"
        return date_format(timezone.localtime(line.current[0].expiration_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("data"))
    def used(self, line: Any) -> str:
        return share_of_data(line.current[0]) if line.current else "—"

    @admin.display(description=_("balance"))
    def balance(self, line: Line) -> str:
        balance = balance_of(line)
        return "—" if balance is None else format_usd(balance)


# --- Changes of holder ---


class HolderChangeForm(LineStepForm):
    with_balance = forms.BooleanField(
        label=_("The balance goes to the new holder"),
        required=False,
        help_text=_("What is on the line's wallet. Otherwise pay it out to the present holder first."),
    )
    agreed = ConfirmBox(
        label=_("Both have signed"),
        help_text=_("The present holder's period ends now. That cannot be undone."),
    )


@admin.register(HolderChange)
class HolderChangeAdmin(TriedOut, ActsOnLine):
    """Changes of a line's holder (*cambio de titular*)."""

    form = HolderChangeForm
    asks = ("line", "customer", "why", "with_balance", "agreed")
    fields = ("line", "previous", "customer", "at", "by", "why", "balance")
    autocomplete_fields = ("line", "customer")
    list_display = ("at", "line", "previous", "customer", "by", "why")
    list_filter = ("at",)
    list_select_related = ("line", "previous", "customer")
    search_fields = (
        "line__phone_number",
        "previous__full_name",
        "previous__dni",
        "customer__full_name",
        "customer__dni",
    )
    search_help_text = _("Phone number, name or DNI")
    paginator = CappedPaginator

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        self._change(given, at, by)
        return HolderChange.objects.filter(line=given["line"]).latest("pk")

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        before = balance_of(given["line"])
        sale = self._change(given, at, by)
        return {"bills": bills_shown(sale.bills), "charged": wallet_movement(given["line"], before)}

    def _change(self, given: dict[str, Any], at: datetime, by: str) -> Sale:
        return change_holder(
            line=given["line"],
            customer=given["customer"],
            why=given["why"],
            with_balance=given["with_balance"],
            at=at,
            by=by,
        )


# --- Plan changes ---

NOW, AT_PERIOD_END = "now", "end"


class PlanChangeForm(LineStepForm):
    at_period_end = forms.TypedChoiceField(
        label=_("When"),
        choices=[
            (NOW, _("Now: the current period ends, and each plan is charged for its days")),
            (AT_PERIOD_END, _("When the current period ends")),
        ],
        coerce=lambda chosen: chosen == AT_PERIOD_END,
        widget=forms.RadioSelect,
    )


class Pending(RowsFilter):
    title = _("pending")
    parameter_name = "pending"
    offered = (("yes", _("Pending"), lambda changes: changes.pending()),)


@admin.register(PlanChange)
class PlanChangeAdmin(TriedOut, ActsOnLine):
    """Plan changes. A pending one is cancelled by a step on the line's page."""

    form = PlanChangeForm
    asks = ("line", "plan", "at_period_end")
    fields = ("line", "plan", "at_period_end", "asked_at", "done_at", "is_pending")
    autocomplete_fields = ("line", "plan")
    list_display = ("asked_at", "line", "plan", "at_period_end", "done_at", "is_pending")
    list_filter = (Pending, "at_period_end", "plan")
    list_select_related = ("line", "plan")
    search_fields = ("line__phone_number", "line__customer__full_name", "line__customer__dni")
    search_help_text = _("Phone number, name or DNI")
    paginator = CappedPaginator

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        service = schedule_plan_change if given["at_period_end"] else change_plan
        change = service(line=given["line"], plan=given["plan"], at=at, by=by).change
        assert change is not None
        return change

    def try_out(self, given: dict[str, Any], at: datetime, by: str) -> dict[str, Any]:
        line = given["line"]
        before = balance_of(line)
        service = schedule_plan_change if given["at_period_end"] else change_plan
        sale = service(line=line, plan=given["plan"], at=at, by=by)
        return {"bills": bills_shown(sale.bills), "charged": wallet_movement(line, before)}
