"""Admin pages of plans: their terms, the history of these, and what an example month would cost."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat, yesno
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import bill_shown, format_decimal, format_usd
from billing.rating import Pack as BoughtPack
from billing.rating import Used
from billing.sales.examples import example_of
from customers.catalogue import Changed, history_of, revise_plan
from customers.models import PRICES, Pack, Plan, PlanRevision
from telcox.common.calendar import local_date
from telcox.common.office.admin import change_page_of
from telcox.common.office.forms import GB, GigabytesField, MoneyField, NumberField, WholeNumberField
from telcox.common.office.previews import Invalid, Panel, Previewed


class PlanForm(forms.ModelForm):
    data_bytes = GigabytesField(label=_("Data"), help_text=_("In GB"))
    rollover_share = NumberField(
        label=_("Rollover"),
        initial=0,
        min_value=0,
        max_value=1,
        max_digits=5,
        decimal_places=4,
        help_text=_("The share of the unused allowance that goes to the next period: 0.5 for half"),
    )


class ExampleForm(forms.Form):
    """The usage of an example month."""

    prefix = "example"
    use_required_attribute = False

    social = GigabytesField(label=_("Social networks"), required=False, help_text=_("In GB"))
    entertainment = GigabytesField(label=_("Entertainment"), required=False, help_text=_("In GB"))
    system_updates = GigabytesField(label=_("System updates"), required=False, help_text=_("In GB"))
    navigation_search = GigabytesField(label=_("Browsing and search"), required=False, help_text=_("In GB"))
    voice_minutes = NumberField(
        label=_("Minutes"), required=False, min_value=0, max_digits=12, decimal_places=2
    )
    sms = WholeNumberField(label=_("SMS"), required=False, min_value=0, max_value=10**9)
    pack = forms.ModelChoiceField(Pack.objects.all(), label=_("With the pack"), required=False)
    days = WholeNumberField(
        label=_("Only the last days"),
        required=False,
        min_value=1,
        max_value=3660,
        help_text=_("Empty: the whole period"),
    )
    spend_limit = MoneyField(
        label=_("Spending limit"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        help_text=_("Empty: none"),
    )
    prepaid = forms.BooleanField(label=_("Prepaid line"), required=False)

    def used(self) -> Used:
        given = self.cleaned_data
        return Used(
            social_bytes=given["social"] or 0,
            entertainment_bytes=given["entertainment"] or 0,
            system_updates_bytes=given["system_updates"] or 0,
            navigation_search_bytes=given["navigation_search"] or 0,
            voice_seconds=int((given["voice_minutes"] or 0) * 60),
            sms=given["sms"] or 0,
        )

    def packs(self) -> list[BoughtPack]:
        pack = self.cleaned_data["pack"]
        if pack is None:
            return []
        return [BoughtPack(pack.name, pack.price, pack.data_bytes, pack.voice_minutes, pack.sms)]


@admin.register(Plan)
class PlanAdmin(Previewed):
    """Plans of the catalogue. Editing one affects the periods sold from now on: earlier ones keep the terms
    they were sold with."""

    form = PlanForm
    save_as = True
    list_display = (
        "name",
        "product_type",
        "price",
        "data",
        "voice_minutes",
        "sms",
        "validity_days",
        "sold_now",
    )
    list_filter = ("on_sale", "product_type")
    search_fields = ("name", "code")
    prepopulated_fields = {"code": ("name",)}
    preview_title = _("What an example month would cost")
    fieldsets = (
        (None, {"fields": ("name", "code", "product_type", "due_days")}),
        (
            _("On sale"),
            {
                "fields": ("on_sale", ("on_sale_from", "on_sale_until")),
                "description": _(
                    "Customers who have the plan keep it, and can renew it, when it is no longer on sale."
                ),
            },
        ),
        (
            _("Allowance"),
            {
                "fields": ("validity_days", "data_bytes", "voice_minutes", "sms"),
                "description": _(
                    "For a full period. With validity 0 a period is the calendar month. A line that starts "
                    "in the middle of it gets, and pays, a share in proportion to the days."
                ),
            },
        ),
        (
            _("Prices in dollars, before tax"),
            {
                "fields": (
                    "price",
                    "overage_price_per_gb",
                    "overage_price_per_minute",
                    "overage_price_per_sms",
                ),
                "description": _(
                    "Periods already sold keep the terms they were sold with. These terms apply to the "
                    "next periods."
                ),
            },
        ),
        (
            _("Beyond the allowance"),
            {
                "fields": (
                    ("overage_per_started_gb", "overage_per_started_minute"),
                    ("data_stops", "voice_stops", "sms_stops"),
                    "overage_beyond_spend_limit",
                ),
            },
        ),
        (
            _("To the next period"),
            {
                "fields": (("rollover_share", "rollover_cap"),),
                "description": _(
                    "Applies to what is left of the plan's allowance. Packs end with their period."
                ),
            },
        ),
        (
            _("Free of charge"),
            {
                "fields": (
                    (
                        "zero_rated_social",
                        "zero_rated_entertainment",
                        "zero_rated_system_updates",
                        "zero_rated_navigation_search",
                    ),
                ),
                "description": _(
                    "Data of these categories is not counted against the allowance (zero-rated)."
                ),
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            revise_plan(plan=obj, at=timezone.now(), by=request.user.get_username())
        else:
            obj.save()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if plan := context.get("original"):
            saved = Plan.objects.get(pk=plan.pk)  # the form has set on `plan` what was typed
            context["parts"] = [
                render_to_string("admin/plan_history.html", {"history": history_shown(saved)})
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    # --- The example month ---

    def may_preview(self, request: HttpRequest, obj: Any) -> bool:
        return self.has_view_permission(request, obj) if obj else self.has_add_permission(request)

    def preview_panel(self, address: str) -> Panel:
        description = _("Calculated with the terms typed above. This does not save them.")
        return Panel(self.preview_title, address, ExampleForm(), description)

    def what_would_come(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        plan, example = obj, ExampleForm(request.POST)
        right = example.is_valid()
        invalid: list[forms.BaseForm] = [] if right else [example]
        if obj is None or self.has_change_permission(request, obj):
            form = self.get_form(request, obj, change=obj is not None)(request.POST, instance=obj)
            if form.is_valid():
                plan = form.instance
            else:
                invalid.insert(0, form)
        if invalid:
            raise Invalid(*invalid)
        facts = example_of(
            plan=plan,
            used=example.used(),
            at=timezone.now(),
            packs=example.packs(),
            days=example.cleaned_data["days"],
            spend_limit=example.cleaned_data["spend_limit"],
            prepaid=example.cleaned_data["prepaid"],
        )
        return {"bills": [bill_shown(facts, facts.rate())]}

    @admin.display(description=_("data"), ordering="data_bytes")
    def data(self, plan: Plan) -> str:
        return filesizeformat(plan.data_bytes)

    @admin.display(description=_("on sale"), boolean=True, ordering="on_sale")
    def sold_now(self, plan: Plan) -> bool:
        return plan.is_on_sale(local_date(timezone.now()))


def history_shown(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "at": revised.revision.replaced_at,
            "by": revised.revision.replaced_by,
            "address": change_page_of(revised.revision),
            "changes": [
                {
                    "label": PlanRevision._meta.get_field(change.field).verbose_name,  # type: ignore[union-attr]
                    "before": _term_shown(change, change.before),
                    "after": _term_shown(change, change.after),
                }
                for change in revised.changes
            ],
        }
        for revised in history_of(plan)
    ]


def _term_shown(change: Changed, value: Any) -> str:
    if change.field == "data_bytes":
        return f"{format_decimal(Decimal(value) / GB)} GB"
    if change.field == "validity_days":
        return gettext("%d days") % value if value else gettext("calendar month")
    if change.field == "price":
        return format_usd(value)
    if isinstance(value, Decimal):
        return format_decimal(value, least=2 if change.field in PRICES else 0)
    return str(yesno(value)) if isinstance(value, bool) else str(value)
