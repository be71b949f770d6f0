from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from billing.api.serializers import InvoiceListOutput
from billing.bills import bills_of_number, bills_of_number_and_user
from customers.api.lines import PHONE_NUMBER_SEGMENT, may_see, number_in_path
from telcox.common.errors import NotFound
from telcox.common.openapi import PHONE_NUMBER, problems
from telcox.common.permissions import sees_everything


class BillingViewSet(ViewSet):
    """A number's bills."""

    lookup_field = "phone_number"
    lookup_value_regex = PHONE_NUMBER_SEGMENT

    @extend_schema(
        operation_id="get_billing",
        tags=["billing"],
        parameters=[PHONE_NUMBER],
        responses={200: InvoiceListOutput, **problems(404, 422)},
    )
    @action(detail=True, methods=["get"])
    def billing(self, request: Request, phone_number: str) -> Response:
        """Newest period first. A number without bills has an empty list, as in the original."""
        phone_number = number_in_path(phone_number)
        if not may_see(request, phone_number):
            raise NotFound("Not Found")
        if sees_everything(request.user):
            return Response({"items": bills_of_number(phone_number)})
        return Response({"items": bills_of_number_and_user(phone_number, request.user)})
