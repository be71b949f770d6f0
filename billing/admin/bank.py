"""Admin pages of bank transfers: the import of statements, and what is made of a transfer that waits."""

from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from billing.admin.bank_ways import PERMISSION, WAYS, Way
from billing.admin.bills import format_usd
from billing.bank import ImportReport, import_statement
from billing.models import BankTransfer
from telcox.common.errors import DomainError
from telcox.common.office.admin import CappedPaginator, NeverChanged, RowsFilter, change_page_of, list_page_of
from telcox.common.office.previews import Invalid, Panel, Previewed, shown_by


class StatementForm(forms.Form):
    file = forms.FileField(
        label=_("file"),
        help_text=_("The bank's CSV file. Transfers that were already imported are skipped."),
    )
    amount = forms.CharField(
        label=_("amount column"),
        required=False,
        max_length=100,
        help_text=_("Its heading, if more than one column could be the amount"),
    )
    decimal = forms.ChoiceField(
        label=_("decimal mark"),
        required=False,
        choices=[("", _("Detect from the amounts")), (",", "1.234,56"), (".", "1,234.56")],
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > settings.BANK_FILE_BYTES:
            raise ValidationError(
                _("The file is larger than %(most)s: import it with manage.py import_payments"),
                params={"most": filesizeformat(settings.BANK_FILE_BYTES)},
            )
        return file


class WaitingFilter(RowsFilter):
    title = _("to assign")
    parameter_name = "waits"
    offered = (
        ("yes", _("Yes"), lambda rows: rows.exclude(problem="")),
        ("no", _("No"), lambda rows: rows.filter(problem="")),
    )


def _address(way: Way, transfer: BankTransfer, page: str = "") -> str:
    return reverse(f"admin:billing_banktransfer_{way.name}{page}", args=[transfer.pk])


def _described(transfer: BankTransfer) -> str:
    left = "" if transfer.rest == transfer.amount else gettext("left: %s") % format_usd(transfer.rest)
    told = (transfer.paid_on, transfer.amount, left, transfer.concept, transfer.payer)
    return " · ".join(str(each) for each in told if each)


@admin.register(BankTransfer)
class BankTransferAdmin(NeverChanged, Previewed):
    """Bank transfers. The page to add them imports a statement; its preview is a dry run of the import."""

    list_display = ("paid_on", "reference", "amount", "concept", "payer", "problem", "payment")
    list_display_links = ("reference",)
    list_filter = (WaitingFilter, ("payment", admin.EmptyFieldListFilter), "problem", "paid_on")
    list_select_related = ("payment",)
    search_fields = ("=reference", "concept", "payer", "source")
    search_help_text = _("Reference, concept, payer or file")
    paginator = CappedPaginator
    ordering = ("-id",)
    change_list_template = "admin/bank_transfers.html"
    preview_template = "admin/bank_preview.html"
    preview_title = _("Result of the import")

    # --- Importing ---

    def may_preview(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None and self.has_add_permission(request)

    def what_would_come(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        form = StatementForm(request.POST, request.FILES)
        if not form.is_valid():
            raise Invalid(form)
        return {"report": self._imported(request, form, dry_run=True)}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = StatementForm(request.POST or None, request.FILES or None)
        shown: dict[str, Any] = {
            "title": gettext("Import a bank statement"),
            "submit": gettext("Import"),
            "preview": self.preview_panel(reverse(f"admin:{self._preview_name()}_new")),
        }
        if form.is_valid():
            shown["report"] = self._imported(request, form)
        return self._page(request, "admin/bank_statement.html", form, shown)

    def _imported(self, request: HttpRequest, form: StatementForm, *, dry_run: bool = False) -> ImportReport:
        file = form.cleaned_data["file"]
        return import_statement(
            file=file,
            source=file.name,
            at=timezone.now(),
            by=request.user.get_username(),
            columns={"amount": form.cleaned_data["amount"]},
            decimal=form.cleaned_data["decimal"],
            dry_run=dry_run,
        )

    # --- Settling ---

    def get_urls(self) -> list[URLPattern]:
        urls = []
        for way in WAYS:
            settle, preview = (
                self.admin_site.admin_view(partial(view, way=way)) for view in (self.settle, self.preview_way)
            )
            name = f"billing_banktransfer_{way.name}"
            urls += [
                path(
                    f"<path:object_id>/{way.name}/preview/",
                    xframe_options_sameorigin(preview),
                    name=f"{name}_preview",
                ),
                path(f"<path:object_id>/{way.name}/", settle, name=name),
            ]
        return [*urls, *super().get_urls()]

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        if not obj.rest > 0 or not request.user.has_perm(PERMISSION):
            return []
        return [(WAYS[0].title, _address(WAYS[0], obj))]

    def settle(self, request: HttpRequest, object_id: str, way: Way) -> HttpResponse:
        transfer = self.viewed(request, object_id, PERMISSION)
        form = way.form(request.POST or None)
        if form.is_valid():
            try:
                done = way.run(transfer, form.cleaned_data, timezone.now(), request.user.get_username())
            except DomainError as refusal:
                messages.error(request, refusal.detail)
            else:
                self.log_change(request, transfer, str(way.title))
                messages.success(request, done.message)
                return redirect(change_page_of(transfer))
        shown = {
            "title": way.title,
            "submit": way.submit,
            "description": _described(transfer),
            "trail_of": transfer,
            "preview": Panel(_("What would be recorded"), _address(way, transfer, "_preview")),
            "ways": [(other.title, _address(other, transfer)) for other in WAYS if other is not way],
        }
        return self._page(request, "admin/bank_settle.html", form, shown)

    def preview_way(self, request: HttpRequest, object_id: str, way: Way) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        transfer = self.viewed(request, object_id, PERMISSION)

        def settled() -> dict[str, Any]:
            form = way.form(request.POST)
            if not form.is_valid():
                raise Invalid(form)
            by = request.user.get_username()
            return {"settled": way.run(transfer, form.cleaned_data, timezone.now(), by)}

        return render(request, "admin/bank_settle_preview.html", shown_by(settled))

    def _page(
        self, request: HttpRequest, template: str, form: forms.Form, shown: dict[str, Any]
    ) -> HttpResponse:
        trail = [(self.opts.verbose_name_plural, list_page_of(self.model))]
        if transfer := shown.pop("trail_of", None):
            trail.append((str(transfer), change_page_of(transfer)))
        context = {**self.admin_site.each_context(request), "form": form, "media": self.media + form.media}
        return render(request, template, {**context, "trail": trail, **shown})
