"""Admin pages of billing runs with their progress, and of quarantined bills."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.bills import format_usd, line_shown, sums_shown
from billing.invoicing.releasing import bill_parked, release_parked
from billing.models import BillingRun, Invoice, ParkedBill, RunState
from billing.models.taxes import taxes_by_rate
from billing.runs.figures import figures_of
from billing.runs.rehearsing import Rehearsal, Sample, plan_rehearsal, stored_rehearsal
from billing.runs.running import is_under_way, new_run, resume_run, start_run, stop_run
from billing.tasks import bill_run, rehearse_run
from telcox.common.background import in_background
from telcox.common.office.admin import (
    CappedPaginator,
    MadeByService,
    ReadOnly,
    RowsFilter,
    Step,
    link_to,
    list_page_of,
)


def _started(run: BillingRun) -> BillingRun:
    in_background(bill_run, run.pk)
    return run


def _rehearsed(run: BillingRun, at: datetime) -> BillingRun:
    plan_rehearsal(run=run, at=at)
    in_background(rehearse_run, run.pk)
    return run


def _may_be_resumed(run: BillingRun) -> bool:
    return run.state == RunState.STOPPED or (run.state == RunState.RUNNING and not is_under_way(run))


@admin.register(BillingRun)
class BillingRunAdmin(MadeByService):
    """Billing runs, one for each period. The page shows the progress, and polls it as long as the run or a
    dry run is in progress (refresh.js)."""

    asks = ("period",)
    list_display = ("period", "state", "at", "started_by", "finished_at")
    list_filter = ("state",)
    search_fields = ("period",)
    fieldsets = (
        (None, {"fields": ("period", "state", "at", ("started_at", "started_by"), "finished_at")}),
        (_("Progress"), {"fields": ("progress",), "classes": ("office-wide",)}),
    )
    readonly_fields = ("progress",)
    steps = (
        Step(
            name="rehearse",
            label=_("Dry run"),
            done=_("Dry run started: %s"),
            permission="billing.view_billingrun",
            run=lambda run, at, by: _rehearsed(run, at),
            unasked="it changes nothing",
            on_list=False,
        ),
        Step(
            name="start",
            label=_("Start"),
            done=_("Started: %s"),
            permission="billing.change_billingrun",
            run=lambda run, at, by: _started(start_run(period=run.period, at=at, by=by)),
            when=lambda run: run.state in (RunState.NEW, RunState.DONE),
            confirm=_("Issue the invoices of all periods that have ended?"),
            on_list=False,
        ),
        Step(
            name="stop",
            label=_("Stop"),
            done=_("Stopped: %s"),
            permission="billing.change_billingrun",
            run=lambda run, at, by: stop_run(period=run.period),
            when=lambda run: run.state == RunState.RUNNING,
            unasked="“Resume” undoes it",
            on_list=False,
        ),
        Step(
            name="resume",
            label=_("Resume"),
            done=_("Resumed: %s"),
            permission="billing.change_billingrun",
            run=lambda run, at, by: _started(resume_run(period=run.period, at=at, by=by)),
            when=_may_be_resumed,
            confirm=_("Go on to issue the invoices of this run?"),
            on_list=False,
        ),
    )

    class Media:
        js = ("backoffice/refresh.js",)

    def make(self, given: dict[str, Any], at: datetime, by: str) -> Model:
        return new_run(period=given["period"], at=at)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.show_progress)
        return [
            path("<path:object_id>/progress/", view, name="billing_billingrun_progress"),
            *super().get_urls(),
        ]

    def show_progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the part of the page that changes, for polling."""
        run = self.viewed(request, object_id)
        return HttpResponse(self.progress(run), headers={"Cache-Control": "no-store"})

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        links = []
        if request.user.has_perm("billing.view_invoice"):
            links.append((_("Invoices of the period"), list_page_of(Invoice, period=obj.period)))
        if request.user.has_perm("billing.view_parkedbill"):
            links.append((_("Quarantined bills"), list_page_of(ParkedBill, run__id__exact=obj.pk)))
        return links

    @admin.display(description=_("progress"))
    def progress(self, run: BillingRun) -> str:
        figures, rehearsal = figures_of(run), stored_rehearsal(run)
        going_on = run.state == RunState.RUNNING
        return render_to_string(
            "admin/billing_run.html",
            {
                "address": reverse("admin:billing_billingrun_progress", args=[run.pk]),
                "going_on": going_on or (rehearsal and not rehearsal.finished),
                "left": going_on and not is_under_way(run),
                "figures": figures,
                "amounts": _amounts(figures),
                "time_left": None if figures.seconds_left is None else format_duration(figures.seconds_left),
                "time_taken": format_duration(figures.seconds),
                "rehearsal": rehearsal and _rehearsal_shown(rehearsal),
            },
        )


def format_duration(seconds: float) -> str:
    """Return the duration like `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _amounts(of: Any) -> list[tuple[str, str]]:
    """Return the sums of a run or of a dry run, each with its label."""
    return [
        (gettext("subtotal"), format_usd(of.subtotal)),
        (gettext("discount"), format_usd(of.discount)),
        (gettext("tax"), format_usd(of.tax)),
        (gettext("total"), format_usd(of.total)),
    ]


def _rehearsal_shown(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "figures": rehearsal,
        "amounts": _amounts(rehearsal),
        "oddities": [
            {
                "label": oddity.label,
                "count": count,
                "named": [
                    (
                        _period_address(each.subscription),
                        each,
                        "" if each.total is None else format_usd(each.total),
                    )
                    for each in rehearsal.named.get(oddity, [])
                ],
            }
            for oddity, count in rehearsal.counts.items()
        ],
        "samples": [_sample_shown(sample) for sample in rehearsal.samples],
    }


def _sample_shown(sample: Sample) -> dict[str, Any]:
    """Return what admin/bill.html shows of a sample bill."""
    return {
        "title": sample.phone_number,
        "lines": [line_shown(line, line.description) for line in sample.lines],
        **sums_shown(sample, *(each.rate for each in taxes_by_rate(sample, sample.lines))),
    }


def _period_address(key: int) -> str:
    return reverse("admin:customers_subscription_change", args=[key])


class Waiting(RowsFilter):
    title = _("state")
    parameter_name = "waiting"
    offered = (
        ("yes", _("Waiting"), lambda parked: parked.filter(is_open=True)),
        ("no", _("Released"), lambda parked: parked.filter(is_open=None)),
    )


@admin.register(ParkedBill)
class ParkedBillAdmin(ReadOnly):
    list_display = ("subscription", "reason", "detail", "total", "parked_at", "released_at")
    list_filter = (Waiting, "reason", "run")
    list_select_related = ("subscription__line", "run")
    search_fields = (
        "subscription__line__phone_number",
        "subscription__line__customer__full_name",
        "subscription__line__customer__dni",
    )
    search_help_text = _("Phone number, name or DNI")
    paginator = CappedPaginator
    ordering = ("-id",)
    fields = (
        ("subscription_page", "line_page"),
        ("reason", "detail"),
        "total",
        "run",
        "parked_at",
        ("released_at", "released_by", "approved"),
    )
    readonly_fields = ("subscription_page", "line_page")
    steps = (
        Step(
            name="approve",
            label=_("Bill it: the amount is correct"),
            done=_("Billed: %s"),
            permission="billing.change_parkedbill",
            run=lambda parked, at, by: bill_parked(parked=parked, approved=True, at=at, by=by),
            when=lambda parked: parked.is_open,
            confirm=_("Issue this invoice although its amount is suspicious?"),
        ),
        Step(
            name="bill",
            label=_("Bill it now"),
            done=_("Billed: %s"),
            permission="billing.change_parkedbill",
            run=lambda parked, at, by: bill_parked(parked=parked, approved=False, at=at, by=by),
            when=lambda parked: parked.is_open,
            confirm=_("Issue this invoice now? It gets its number and cannot be changed afterwards."),
        ),
        Step(
            name="release",
            label=_("Try again with the next run"),
            done=_("Released: %s"),
            permission="billing.change_parkedbill",
            run=lambda parked, at, by: release_parked(parked=parked, approved=False, at=at, by=by),
            when=lambda parked: parked.is_open,
            unasked="the next run quarantines it again",
        ),
    )

    def seen(self, obj: ParkedBill) -> str:
        return f"{obj.pk}-{obj.total}"

    def as_seen(self, obj: ParkedBill, told: str | None) -> None:
        """Set the amount to the one on the page: it is the one that is approved."""
        if told and told != self.seen(obj):
            obj.total = None if obj.total else Decimal(0)
            if found := re.fullmatch(rf"{obj.pk}-([0-9]{{1,12}}\.[0-9]{{2}})", told):
                obj.total = Decimal(found[1])

    @admin.display(description=_("subscription"))
    def subscription_page(self, parked: ParkedBill) -> str:
        return link_to(parked.subscription)

    @admin.display(description=_("line"))
    def line_page(self, parked: ParkedBill) -> str:
        return link_to(parked.subscription.line)
