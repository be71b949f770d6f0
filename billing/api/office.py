from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from billing.api.permissions import MayRecordPayments, MayReversePayments, MayTakeBackInvoices
from billing.api.settling import (
    Credited,
    CreditNoteInput,
    CreditNoteOutput,
    PaymentInput,
    PaymentOutput,
    ReversalInput,
    Settled,
)
from billing.models import Invoice, Payment
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment, reverse_payment
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import NotFound
from telcox.common.web.openapi import problem_responses

Row = TypeVar("Row", bound=Model)

# Path segment that can be a row's key: at most 18 digits, which fit into a BIGINT column.
KEY_SEGMENT = "[0-9]{1,18}"
KEY = OpenApiParameter("id", OpenApiTypes.INT, OpenApiParameter.PATH, description="Its `id`.")
REFUSALS = problem_responses(404, 409, 413, 415, 422)


class InvoiceOfficeViewSet(ViewSet):
    """Operations of the office on an issued invoice. A dry run is the same code, rolled back."""

    lookup_value_regex = KEY_SEGMENT
    lookup_url_kwarg = "id"

    @extend_schema(
        operation_id="post_payment",
        summary="Record a payment",
        description=(
            "Records money received for the invoice, once for each reference. 200 means that nothing was "
            "recorded: a dry run, or already recorded (`repeated`)."
        ),
        tags=["office"],
        parameters=[KEY],
        request=PaymentInput,
        responses={200: PaymentOutput, 201: PaymentOutput, **REFUSALS},
    )
    @action(detail=True, methods=["post"], permission_classes=[MayRecordPayments])
    def payments(self, request: Request, id: str) -> Response:
        """Record money received for the invoice, once for each reference.

        200 means that nothing was recorded: a dry run, or already recorded (`repeated`).
        """
        invoice, given = _found(Invoice, id), _given(PaymentInput, request)
        dry_run = given.pop("dry_run")

        def pay() -> Any:
            by = request.user.get_username()
            payment, repeated = receive_payment(invoice=invoice, **given, at=timezone.now(), by=by)
            return PaymentOutput(Settled(payment, dry_run, repeated)).data

        return _answer(pay, dry_run)

    @extend_schema(
        operation_id="post_credit_note",
        summary="Issue a credit note",
        description=(
            "Credits the invoice: all that is left of it, or some of its lines. Money paid for it goes to "
            "the line's wallet. An invoice that is credited completely is void. A dry run is answered with "
            "200."
        ),
        tags=["office"],
        parameters=[KEY],
        request=CreditNoteInput,
        responses={200: CreditNoteOutput, 201: CreditNoteOutput, **REFUSALS},
    )
    @action(detail=True, methods=["post"], url_path="credit-notes", permission_classes=[MayTakeBackInvoices])
    def credit_notes(self, request: Request, id: str) -> Response:
        """Issue a credit note for all that is left of the invoice, or for some of its lines.

        Money paid for it goes to the line's wallet. An invoice that is credited completely is void.
        """
        invoice, given = _found(Invoice, id), _given(CreditNoteInput, request)
        dry_run, lines = given.pop("dry_run"), given.pop("lines", None)
        amounts = None if lines is None else {line["line"]: line["amount"] for line in lines}

        def credit() -> Any:
            by = request.user.get_username()
            note = credit_invoice(invoice=invoice, amounts=amounts, **given, at=timezone.now(), by=by)
            return CreditNoteOutput(Credited(note, dry_run)).data

        return _answer(credit, dry_run)


class PaymentOfficeViewSet(ViewSet):
    lookup_value_regex = KEY_SEGMENT
    lookup_url_kwarg = "id"

    @extend_schema(
        operation_id="post_reversal",
        summary="Reverse a payment",
        description=(
            "Takes a payment back, once. What the payment brought to the line's wallet is taken from the "
            "wallet. A dry run is answered with 200."
        ),
        tags=["office"],
        parameters=[KEY],
        request=ReversalInput,
        responses={200: PaymentOutput, 201: PaymentOutput, **REFUSALS},
    )
    @action(detail=True, methods=["post"], permission_classes=[MayReversePayments])
    def reversal(self, request: Request, id: str) -> Response:
        """Reverse a payment, once. What it brought to the line's wallet is taken from the wallet."""
        payment, given = _found(Payment, id), _given(ReversalInput, request)
        dry_run = given.pop("dry_run")

        def reverse() -> Any:
            by = request.user.get_username()
            reversal = reverse_payment(payment=payment, **given, at=timezone.now(), by=by)
            return PaymentOutput(Settled(reversal, dry_run)).data

        return _answer(reverse, dry_run)


def _found(model: type[Row], key: str) -> Row:
    row = model._default_manager.filter(pk=key).first()
    if row is None:
        raise NotFound("Not Found")
    return row


def _given(
    serializer: type[PaymentInput | ReversalInput | CreditNoteInput], request: Request
) -> dict[str, Any]:
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _answer(work: Callable[[], Any], dry_run: bool) -> Response:
    """Do the work in a transaction, and return its result as the response: with 201, or with 200 if nothing
    was changed. The result must not need the database afterwards."""
    answer = retry_lost_locks(lambda: commit_unless_dry_run(work, dry_run=dry_run))
    nothing_happened = dry_run or answer.get("repeated")
    return Response(answer, status.HTTP_200_OK if nothing_happened else status.HTTP_201_CREATED)
