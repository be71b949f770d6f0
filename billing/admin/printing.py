"""Documents as PDF in the back-office."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.models import Invoice
from billing.printing.answers import pdf_answer
from telcox.common.office.admin import OfficeAdmin


class Printed(OfficeAdmin):
    """Base class of pages of documents and drafts with a PDF: a link on the page, and the column `pdf`."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.show_pdf)
        name = f"billing_{self.opts.model_name}_pdf"
        return [path("<path:object_id>/pdf/", view, name=name), *super().get_urls()]

    def show_pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return pdf_answer(request, self.viewed(request, object_id))

    def links_from(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        return [*super().links_from(request, obj), ("PDF", _address(obj))]

    @admin.display(description=_("document"))
    def pdf(self, invoice: Invoice) -> str:
        return format_html('<a href="{}">PDF</a>', _address(invoice))


def _address(invoice: Invoice) -> str:
    return reverse(f"admin:billing_{invoice._meta.model_name}_pdf", args=[invoice.pk])
