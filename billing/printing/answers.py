"""HTTP response with a printed document."""

from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import content_disposition_header, quote_etag

from billing.models import Invoice
from billing.printing.archive import document_pdf, edition_name, file_name


def pdf_answer(request: Any, invoice: Invoice) -> HttpResponse:
    """Return the PDF, or 304 without printing anything if the client's ETag shows that it has the document
    already."""
    etag = None if invoice.is_draft else quote_etag(edition_name(invoice))
    answer = get_conditional_response(request, etag=etag) if etag else None
    if answer is None:
        answer = HttpResponse(document_pdf(invoice), content_type="application/pdf")
        answer["Content-Disposition"] = content_disposition_header(False, file_name(invoice)) or "inline"
    if etag:
        answer["ETag"] = etag
    # Private: only the customer may see it. No-cache: permission is checked at every request.
    patch_cache_control(answer, private=True, no_cache=True)
    return answer
