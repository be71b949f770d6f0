from types import ModuleType
from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import BankTransfer, Invoice, InvoiceStatus, ParkedBill
from customers.models import Line, LineStatus, Suspension, SuspensionReason
from telcox.common.calendar import local_date
from telcox.common.office.admin import list_page_of


class Figure(NamedTuple):
    """A number on the first page, and the address of the list that it counts."""

    label: Any
    rows: int
    address: str


class BackofficeSite(admin.AdminSite):
    """The operator's back-office."""

    site_header = _("TelcoX back-office")
    site_title = "TelcoX"
    index_title = _("Customers, usage and bills")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        exports = _exports()
        page, download = self.admin_view(exports.exports_page), self.admin_view(exports.download_export)
        return [
            path("exports/", page, name="exports"),
            path("exports/<slug:what>.<slug:file_format>", download, name="export"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        shown = {"figures": figures_for(request), "may_export": _exports().may_export(request)}
        return super().index(request, {**shown, **(extra_context or {})})


def _exports() -> ModuleType:
    """Import the export pages late: importing billing.admin registers its models with this site, which has to
    exist before."""
    from billing.admin import exports

    return exports


def figures_for(request: HttpRequest) -> list[Figure]:
    """Return the figures of open work that the user may see."""
    figures = []
    if request.user.has_perm("billing.view_invoice"):
        overdue = Invoice.objects.overdue(local_date(timezone.now()))
        figures += [
            Figure(
                _("Drafts to issue"),
                Invoice.objects.drafts().count(),
                list_page_of(Invoice, status__exact=InvoiceStatus.DRAFT),
            ),
            Figure(_("Overdue invoices"), overdue.count(), list_page_of(Invoice, due="overdue")),
        ]
    if request.user.has_perm("billing.view_parkedbill"):
        waiting = ParkedBill.objects.waiting().count()
        figures.append(Figure(_("Quarantined bills"), waiting, list_page_of(ParkedBill, waiting="yes")))
    if request.user.has_perm("billing.view_banktransfer"):
        waiting = BankTransfer.objects.exclude(problem="").count()
        figures.append(Figure(_("Transfers to assign"), waiting, list_page_of(BankTransfer, waits="yes")))
    if request.user.has_perm("customers.view_line"):
        figures += [
            Figure(
                label, Line.objects.filter(status=status).count(), list_page_of(Line, status__exact=status)
            )
            for label, status in (
                (_("Lines in service"), LineStatus.ACTIVE),
                (_("Suspended lines"), LineStatus.SUSPENDED),
            )
        ]
        if request.user.has_perm("customers.view_suspension"):
            unpaid = {"is_open": True, "reason": SuspensionReason.NON_PAYMENT}
            figures.append(
                Figure(
                    _("Lines suspended for non-payment"),
                    Suspension.objects.filter(**unpaid).count(),
                    list_page_of(Suspension, open="yes", reason__exact=SuspensionReason.NON_PAYMENT),
                )
            )
        lapsed = Line.objects.lapsed(timezone.now()).count()
        figures.append(Figure(_("Prepaid lines not renewed"), lapsed, list_page_of(Line, renewal="lapsed")))
    return figures
