"""Exports for finance: the page with the totals, and the download of the files."""

from datetime import date, timedelta
from tempfile import TemporaryFile
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.exports import (
    Selection,
    Table,
    csv_of,
    documents_table,
    payments_table,
    totals_of,
    write_xlsx,
)
from billing.models.runs import PERIOD
from telcox.common.calendar import local_date
from usage.ingestion.reports import YEARS

TABLES = {
    "invoices": ("billing.view_invoice", documents_table, gettext_lazy("Invoices and credit notes")),
    "payments": ("billing.view_payment", payments_table, gettext_lazy("Payments")),
}
FORMATS = ("csv", "xlsx")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _day() -> forms.DateInput:
    """Return the browser's own date picker. It reads and sends days in ISO format."""
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class SelectionForm(forms.Form):
    period = forms.CharField(
        label=gettext_lazy("period"), required=False, validators=[PERIOD], help_text="2026-11"
    )
    first = forms.DateField(
        label=gettext_lazy("from"),
        required=False,
        widget=_day(),
        help_text=gettext_lazy(
            "Instead of a period: the days on which documents were issued and payments received"
        ),
    )
    last = forms.DateField(label=gettext_lazy("until"), required=False, widget=_day())

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not self.errors and not _is_choice(**given):
            raise forms.ValidationError(_("Choose a period, or the first and the last day"))
        return given

    def selection(self) -> Selection:
        """Return what was chosen. The form must be valid."""
        chosen = self.cleaned_data
        if period := chosen["period"]:
            return Selection(period)
        return Selection(first=chosen["first"], last=chosen["last"])


def _is_choice(period: str, first: date | None, last: date | None) -> bool:
    if period or not (first and last):
        return bool(period) and not (first or last)
    return first <= last and first.year in YEARS and last.year in YEARS


def may_export(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.view_invoice")


def exports_page(request: HttpRequest) -> HttpResponse:
    if not may_export(request):
        raise PermissionDenied
    last_month = local_date(timezone.now()).replace(day=1) - timedelta(days=1)
    form = SelectionForm(request.GET or None, initial={"period": f"{last_month:%Y-%m}"})
    shown: dict[str, Any] = {
        "title": _("Exports for finance"),
        "submit": _("Show the totals"),
        "form": form,
        "media": form.media,
        "method": "get",
    }
    if form.is_valid():
        shown |= _totals(request, form.selection())
    return render(request, "admin/exports.html", {**admin.site.each_context(request), **shown})


def _totals(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    totals = totals_of(selection)
    rows = [
        (_("invoices"), totals.invoices),
        (_("credit notes"), totals.credit_notes),
        (_("together"), totals.together),
    ]
    if totals.run:
        rows.insert(1, (_("of which billed by billing runs"), totals.run))
        rows.insert(2, (_("of which billed otherwise"), totals.not_by_run))
    if totals.run_of_others.documents:
        rows.append((_("besides, by the run of this month, of other months"), totals.run_of_others))
    chosen = request.GET.urlencode()
    downloads = [
        (f"{label}: {form.upper()}", f"{reverse('admin:export', args=[what, form])}?{chosen}")
        for what, (permission, _table, label) in TABLES.items()
        if request.user.has_perm(permission)
        for form in FORMATS
    ]
    return {"totals": totals, "selected": selection, "rows": rows, "downloads": downloads}


def download_export(request: HttpRequest, what: str, file_format: str) -> HttpResponseBase:
    if what not in TABLES or file_format not in FORMATS:
        raise Http404
    permission, table_of, _label = TABLES[what]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    form = SelectionForm(request.GET)
    if not form.is_valid():
        return exports_page(request)
    table = table_of(form.selection())
    return _as_csv(table) if file_format == "csv" else _as_xlsx(table)


def _as_csv(table: Table) -> HttpResponseBase:
    """Stream the file: its rows are read while it is sent."""
    name = content_disposition_header(True, f"{table.name}.csv")
    return StreamingHttpResponse(
        csv_of(table), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
    )


def _as_xlsx(table: Table) -> HttpResponseBase:
    """Return the file. It must be complete before its first byte can be sent, and is on disk, so that memory
    use does not grow with it."""
    file = TemporaryFile()  # noqa: SIM115  closed with the response
    write_xlsx(table, file)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{table.name}.xlsx", content_type=XLSX)
