"""Overdue invoices over REST, for the office's programs: a call centre, a debt collector, a spreadsheet."""

import re
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from billing.api.permissions import MayViewInvoices
from billing.models import Invoice
from billing.overdue.listing import overdue_page
from billing.overdue.reminding import days_overdue
from customers.models import Customer
from telcox.common.calendar import local_date
from telcox.common.database.keyset import Place
from telcox.common.web.fields import MoneyField
from telcox.common.web.openapi import problem_responses
from telcox.common.web.serializers import NothingElse
from usage.api.serializers import CalendarDateField

_PLACE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9]{1,18})")


@extend_schema_field(str)
class PlaceField(serializers.Field[Place, Any, str, Any]):
    """A place in the list (keyset pagination), as `next` names it: due date and key, `2026-11-30.4711`."""

    default_error_messages = {"invalid": "Input should be the `next` of a previous answer"}

    def to_internal_value(self, data: Any) -> Place:
        if not (match := _PLACE.fullmatch(str(data))):
            self.fail("invalid")
        return Place(CalendarDateField().run_validation(match[1]), int(match[2]))

    def to_representation(self, value: Place) -> str:
        return f"{value.value}.{value.pk}"


class OverdueQuery(NothingElse, serializers.Serializer[Any]):
    on = CalendarDateField(
        required=False, help_text="Invoices that are overdue on this day; today if absent."
    )
    after = PlaceField(required=False, help_text="The `next` of the previous page.")
    limit = serializers.IntegerField(
        default=100, min_value=1, max_value=1000, help_text="Most invoices in a page."
    )


class DebtorOutput(serializers.ModelSerializer[Customer]):
    """The customer as of now; the invoice's own fields are as of its issue."""

    class Meta:
        model = Customer
        fields = ("id", "dni", "full_name", "email", "address", "language")
        read_only_fields = fields


class OverdueInvoiceOutput(serializers.ModelSerializer[Invoice]):
    number = serializers.CharField(source="full_number")
    customer = DebtorOutput(allow_null=True)
    total = MoneyField()
    outstanding = MoneyField(source="owed", help_text="Total less what was paid and credited, in dollars.")
    days_overdue = serializers.SerializerMethodField()
    reminders_sent = serializers.IntegerField()

    class Meta:
        model = Invoice
        fields = (
            *("id", "number", "status", "period", "customer_name", "customer_dni", "phone_number"),
            *("customer", "total", "outstanding", "due_on", "days_overdue", "reminders_sent"),
        )
        read_only_fields = fields

    def get_days_overdue(self, invoice: Invoice) -> int:
        return days_overdue(invoice, self.context["on"])


@extend_schema_serializer(many=False)  # the object is the whole answer of a list endpoint
class OverduePageOutput(serializers.Serializer[Any]):
    on = serializers.DateField()
    items = OverdueInvoiceOutput(many=True)
    next = PlaceField(
        allow_null=True, help_text="Send it as `after` to get the next page; null on the last page."
    )


class OverdueViewSet(ViewSet):
    permission_classes = (MayViewInvoices,)

    @extend_schema(
        operation_id="get_overdue_invoices",
        summary="List overdue invoices",
        description=(
            "Invoices that were due before the day and are not fully paid, the longest overdue first, in "
            "pages (keyset pagination)."
        ),
        tags=["billing"],
        parameters=[OverdueQuery],
        responses={200: OverduePageOutput, **problem_responses(422)},
    )
    def list(self, request: Request) -> Response:
        """Return invoices that were due before a day and are not fully paid, the longest overdue first."""
        query = OverdueQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        given = query.validated_data
        on = given.get("on") or local_date(timezone.now())
        page = overdue_page(on=on, after=given.get("after"), limit=given["limit"])
        shown = {"on": on, "items": page.items, "next": page.last}
        return Response(OverduePageOutput(shown, context={"on": on}).data)
