"""Admin pages of bank transfers: the import of statements, and the assignment of unmatched transfers to
invoices."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.bank import ImportReport, assign_transfer, import_statement
from billing.models import BankTransfer, Invoice, Payment
from billing.models.invoices import OPEN
from telcox.common.errors import DomainError
from telcox.common.office.admin import CappedPaginator, NeverChanged, Search, change_page_of, list_page_of
from telcox.common.office.previews import Invalid, Previewed


class StatementForm(forms.Form):
    file = forms.FileField(
        label=_("file"),
        help_text=_("The bank's CSV file. Transfers that were already imported are skipped."),
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


class AssignForm(forms.Form):
    invoice = forms.ModelChoiceField(
        Invoice.objects.filter(status__in=OPEN),
        label=_("invoice"),
        widget=Search(Payment._meta.get_field("invoice"), admin.site),
    )


@admin.register(BankTransfer)
class BankTransferAdmin(NeverChanged, Previewed):
    """Bank transfers. The page to add them imports a statement; its preview is a dry run of the import."""

    list_display = ("paid_on", "reference", "amount", "concept", "payer", "problem", "payment")
    list_display_links = ("reference",)
    list_filter = (("payment", admin.EmptyFieldListFilter), "problem", "paid_on")
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
            decimal=form.cleaned_data["decimal"],
            dry_run=dry_run,
        )

    # --- Assigning ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.assign)
        return [
            path("<path:object_id>/assign/", view, name="billing_banktransfer_assign"),
            *super().get_urls(),
        ]

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        if obj.payment_id or not request.user.has_perm("billing.add_payment"):
            return []
        return [(_("Assign to an invoice"), reverse("admin:billing_banktransfer_assign", args=[obj.pk]))]

    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        transfer = self.viewed(request, object_id, "billing.add_payment")
        form = AssignForm(request.POST or None)
        if form.is_valid():
            try:
                payment = assign_transfer(
                    transfer=transfer,
                    invoice=form.cleaned_data["invoice"],
                    at=timezone.now(),
                    by=request.user.get_username(),
                )
            except DomainError as refusal:
                messages.error(request, refusal.detail)
            else:
                self.log_change(request, transfer, gettext("Assign to an invoice"))
                messages.success(request, gettext("Assigned to %s") % payment.invoice)
                return redirect(change_page_of(transfer))
        shown = {
            "title": gettext("Assign to an invoice"),
            "submit": gettext("Assign"),
            "description": f"{transfer.paid_on} · {transfer.amount} · {transfer.concept} · {transfer.payer}",
            "trail_of": transfer,
        }
        return self._page(request, "admin/office_form.html", form, shown)

    def _page(
        self, request: HttpRequest, template: str, form: forms.Form, shown: dict[str, Any]
    ) -> HttpResponse:
        trail = [(self.opts.verbose_name_plural, list_page_of(self.model))]
        if transfer := shown.pop("trail_of", None):
            trail.append((str(transfer), change_page_of(transfer)))
        context = {**self.admin_site.each_context(request), "form": form, "media": self.media + form.media}
        return render(request, template, {**context, "trail": trail, **shown})
