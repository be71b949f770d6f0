"""A printed document as the answer to a request."""

from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import content_disposition_header, quote_etag

from billing.models import Invoice
from billing.printing.archive import document_pdf, edition_name, file_name


def pdf_answer(request: Any, invoice: Invoice) -> HttpResponse:
    """Who has the document already, and asks by its ETag, is told so (304) and nothing is printed."""
    etag = None if invoice.is_draft else quote_etag(edition_name(invoice))
    answer = get_conditional_response(request, etag=etag) if etag else None
    if answer is None:
        answer = HttpResponse(document_pdf(invoice), content_type="application/pdf")
        answer["Content-Disposition"] = content_disposition_header(False, file_name(invoice)) or "inline"
    if etag:
        answer["ETag"] = etag
    # It is the customer's alone, and whether it may still be seen is asked each time.
    patch_cache_control(answer, private=True, no_cache=True)
    return answer
