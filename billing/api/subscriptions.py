from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.orders import (
    PERIOD_END,
    PackInput,
    PackOrderOutput,
    PlanChangeInput,
    PlanChangeOutput,
    SubscriptionOutput,
)
from billing.sales.holding import line_holding
from billing.sales.orders import Ordered, order_pack, order_plan
from billing.sales.services import cancel_plan_change
from customers.api.lines import LineViewSet
from customers.api.offers import offer_in_body
from customers.models import Pack, Plan
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.web.openapi import PHONE_NUMBER, problem_responses


class SubscriptionViewSet(LineViewSet):
    """A line's subscription, and orders for the line. A dry run is the same code, rolled back."""

    @extend_schema(
        operation_id="get_subscription",
        summary="Get a line's subscription",
        description=(
            "The current period, what is used and left of it, a pending plan change, and the bill so far."
        ),
        tags=["subscription"],
        parameters=[PHONE_NUMBER],
        responses={200: SubscriptionOutput, **problem_responses(404, 409, 422)},
    )
    @action(detail=True, methods=["get"])
    def subscription(self, request: Request, phone_number: str) -> Response:
        """Return the current period, what is used and left of it, and the bill so far."""
        holding = line_holding(phone_number=phone_number, at=timezone.now())
        return Response(SubscriptionOutput(holding).data)

    @extend_schema(
        operation_id="post_plan_change",
        summary="Change a line's plan",
        description=(
            "Changes the plan now or at the end of the current period. The answer has the bills of the "
            "period that ends and of the one that starts. A dry run is answered with 200 and changes "
            "nothing."
        ),
        tags=["subscription"],
        parameters=[PHONE_NUMBER],
        request=PlanChangeInput,
        responses={
            200: PlanChangeOutput,
            201: PlanChangeOutput,
            **problem_responses(404, 409, 413, 415, 422),
        },
    )
    @action(detail=True, methods=["post"], url_path="plan-change", reads_line=True)
    def plan_change(self, request: Request, phone_number: str) -> Response:
        """Change the plan of the line, now or at the end of its current period.

        Return the bills of the period that ends, as of now, and of the one that begins. A dry run returns the
        same and changes nothing.
        """
        line = self.line
        order = PlanChangeInput(data=request.data)
        order.is_valid(raise_exception=True)
        given = order.validated_data
        # A client that sends a version has decided on that state of the line, and not on the one just read.
        line.version = given.get("version", line.version)
        ordered = order_plan(
            line=line,
            plan=offer_in_body(Plan, given["plan"], "plan"),
            at_period_end=given["when"] == PERIOD_END,
            dry_run=given["dry_run"],
            clock=timezone.now,
            by=request.user.get_username(),
        )
        return Response(PlanChangeOutput(ordered).data, status=_status(ordered))

    @extend_schema(
        operation_id="delete_plan_change",
        summary="Cancel a pending plan change",
        description=(
            "Cancels the plan change that waits for the end of the current period. Refused with 409 if there"
            " is none."
        ),
        tags=["subscription"],
        parameters=[PHONE_NUMBER],
        responses={204: None, **problem_responses(404, 409, 422)},
    )
    @plan_change.mapping.delete
    def cancel_plan_change(self, request: Request, phone_number: str) -> Response:
        """Cancel the plan change that waits for the end of the current period."""
        by = request.user.get_username()
        retry_lost_locks(lambda: cancel_plan_change(line=self.line, at=timezone.now(), by=by))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="post_pack",
        summary="Buy a pack",
        description=(
            "Adds a pack to the line's current period, once for each reference. 200 means that nothing was "
            "bought: a dry run, or already bought (`repeated`)."
        ),
        tags=["subscription"],
        parameters=[PHONE_NUMBER],
        request=PackInput,
        responses={200: PackOrderOutput, 201: PackOrderOutput, **problem_responses(404, 409, 413, 415, 422)},
    )
    @action(detail=True, methods=["post"], reads_line=True)
    def packs(self, request: Request, phone_number: str) -> Response:
        """Buy a pack for the line's current period, once for each reference.

        200 means that nothing was bought: a dry run, or already bought (`repeated`).
        """
        order = PackInput(data=request.data)
        order.is_valid(raise_exception=True)
        given = order.validated_data
        ordered = order_pack(
            line=self.line,
            pack=offer_in_body(Pack, given["pack"], "pack"),
            reference=given["reference"],
            dry_run=given["dry_run"],
            clock=timezone.now,
            by=request.user.get_username(),
        )
        return Response(PackOrderOutput(ordered).data, status=_status(ordered))


def _status(ordered: Ordered) -> int:
    return status.HTTP_201_CREATED if ordered.happened else status.HTTP_200_OK
