from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from customers.api.lines import LineViewSet
from customers.api.serializers import (
    CustomerSummaryOutput,
    PackListOutput,
    PackOutput,
    PlanListOutput,
    PlanOutput,
)
from customers.bss import UnknownSubscriber, gateway
from customers.models import Pack, Plan
from telcox.common.calendar import local_date
from telcox.common.errors import NotFound
from telcox.common.web.openapi import PHONE_NUMBER, problem_responses


class CustomerViewSet(LineViewSet):
    """What the BSS knows of a customer."""

    @extend_schema(
        operation_id="get_customer_summary",
        summary="Get a customer's summary",
        description="Balance, spending limit and minutes, as the operator's BSS knows them.",
        tags=["customers"],
        parameters=[PHONE_NUMBER],
        responses={200: CustomerSummaryOutput, **problem_responses(404, 422, 502, 504)},
    )
    @action(detail=True, methods=["get"])
    def summary(self, request: Request, phone_number: str) -> Response:
        """Balance and minutes at a glance."""
        return Response(gateway().summary(phone_number).shown())

    def not_found(self) -> NotFound:
        return UnknownSubscriber()


class PlanViewSet(ViewSet):
    """The catalogue."""

    @extend_schema(
        operation_id="list_plans",
        summary="List the plans on sale",
        description=(
            "Every plan that can be sold today, cheapest first within a product type. Prices are before tax."
        ),
        tags=["plans"],
        responses={200: PlanListOutput, **problem_responses()},
    )
    def list(self, request: Request) -> Response:
        """The plans on sale."""
        plans = Plan.objects.on_sale(local_date(timezone.now()))
        return Response({"items": PlanOutput(plans, many=True).data})


class PackViewSet(ViewSet):
    """The catalogue's additions."""

    @extend_schema(
        operation_id="list_packs",
        summary="List the packs on sale",
        description=(
            "Every pack that can be bought today: additional allowance for the current period. Prices are "
            "before tax."
        ),
        tags=["plans"],
        responses={200: PackListOutput, **problem_responses()},
    )
    def list(self, request: Request) -> Response:
        """The packs on sale."""
        packs = Pack.objects.on_sale(local_date(timezone.now()))
        return Response({"items": PackOutput(packs, many=True).data})
