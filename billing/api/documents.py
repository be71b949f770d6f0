"""Bills and credit notes as they were sent."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from billing.models import Invoice
from billing.printing import to_print
from billing.printing.answers import pdf_answer
from customers.api.lines import PHONE_NUMBER_SEGMENT, number_in_path
from telcox.common.errors import NotFound
from telcox.common.openapi import PHONE_NUMBER, problems
from telcox.common.permissions import sees_everything


class DocumentViewSet(ViewSet):
    lookup_field = "phone_number"
    lookup_value_regex = PHONE_NUMBER_SEGMENT

    @extend_schema(
        operation_id="get_invoice_pdf",
        tags=["billing"],
        parameters=[PHONE_NUMBER, OpenApiParameter("invoice_id", OpenApiTypes.INT, OpenApiParameter.PATH)],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **problems(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path=r"invoices/(?P<invoice_id>[0-9]{1,18})/pdf")
    def pdf(self, request: Request, phone_number: str, invoice_id: str) -> HttpResponse:
        """The bill or credit note as it was sent: the same bytes whenever it is asked for."""
        documents = to_print(Invoice.objects.issued().of_number(number_in_path(phone_number)))
        if not sees_everything(request.user):
            documents = documents.of_user(request.user.pk or 0)
        invoice = documents.filter(pk=invoice_id).first()
        if invoice is None:
            raise NotFound("Not Found", reason="unknown_invoice")
        return pdf_answer(request, invoice)
