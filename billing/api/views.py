from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.documents import DocumentOutput, UsageBehindOutput
from billing.api.permissions import ADD_MONEY, MayPayOut, MayTopUp
from billing.api.serializers import (
    BillsQuery,
    InvoiceListOutput,
    PayOutInput,
    TopUpInput,
    WalletEntryOutput,
    WalletOutput,
    WalletQuery,
    bill_cursor,
)
from billing.invoicing.explaining import documents_of_number, explain_document, usage_behind
from billing.invoicing.listing import bills_of_number, page_of_bills
from billing.printing import to_print
from billing.printing.answers import pdf_answer
from billing.sales.renewal import top_up_and_renew
from billing.wallets import pay_out, wallet_statement
from customers.api.lines import LineViewSet
from telcox.common.database.dry_run import commit_unless_dry_run
from telcox.common.database.retrying import retry_lost_locks
from telcox.common.errors import NotFound
from telcox.common.web.openapi import PHONE_NUMBER, problem_responses
from telcox.common.web.permissions import sees_everything

# The key has at most 18 digits, which fit into a BIGINT column.
DOCUMENT_PATH = "invoices/(?P<invoice_id>[0-9]{1,18})"
DOCUMENT_ID = OpenApiParameter(
    "invoice_id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The document's `id`."
)


class BillingViewSet(LineViewSet):
    """A number's bills as a list, and its invoices and credit notes one at a time."""

    @extend_schema(
        operation_id="get_billing",
        summary="List a line's bills",
        description=(
            "The number's invoices, newest period first; an empty list if it has none. "
            "Without `limit` and `before` the answer has all of them; with either, one page and the cursor "
            "of the next (keyset pagination)."
        ),
        tags=["billing"],
        parameters=[PHONE_NUMBER, BillsQuery],
        responses={200: InvoiceListOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"])
    def billing(self, request: Request, phone_number: str) -> Response:
        """Return the number's bills, newest period first; an empty list if it has none, as in the original.

        Return all of them; with `limit` or `before`, one page, and in `next` the cursor of the next one.
        """
        query = BillsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        user = _own(request)
        if query.validated_data:
            page = page_of_bills(documents_of_number(phone_number, user), **query.validated_data)
            return Response({"items": page.items, "next": page.last and bill_cursor(page.last)})
        return Response({"items": bills_of_number(phone_number, user)})

    @extend_schema(
        operation_id="get_invoice",
        summary="Get an invoice or credit note",
        description=(
            "The document with its lines, payments and credit notes, and the facts that its lines were "
            "calculated from."
        ),
        tags=["billing"],
        parameters=[PHONE_NUMBER, DOCUMENT_ID],
        responses={200: DocumentOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path=DOCUMENT_PATH)
    def invoice(self, request: Request, phone_number: str, invoice_id: str) -> Response:
        """Return the document with its lines, payments and credit notes, and the facts that its lines were
        calculated from."""
        documents = documents_of_number(phone_number, _own(request))
        return Response(DocumentOutput(explain_document(documents=documents, pk=int(invoice_id))).data)

    @extend_schema(
        operation_id="get_invoice_usage",
        summary="Get the usage that an invoice is based on",
        description=(
            "The usage of the invoice's period, day by day, and what arrived late. Refused with 404 for a "
            "credit note."
        ),
        tags=["billing"],
        parameters=[PHONE_NUMBER, DOCUMENT_ID],
        responses={200: UsageBehindOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path=f"{DOCUMENT_PATH}/usage")
    def invoice_usage(self, request: Request, phone_number: str, invoice_id: str) -> Response:
        """Return the usage of the invoice's period, day by day. Raise NotFound for a credit note."""
        documents = documents_of_number(phone_number, _own(request))
        return Response(UsageBehindOutput(usage_behind(documents=documents, pk=int(invoice_id))).data)

    @extend_schema(
        operation_id="get_invoice_pdf",
        summary="Get an invoice or credit note as PDF",
        description="The printed document; always the same bytes for the same document.",
        tags=["billing"],
        parameters=[PHONE_NUMBER, DOCUMENT_ID],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"], url_path=f"{DOCUMENT_PATH}/pdf")
    def invoice_pdf(self, request: Request, phone_number: str, invoice_id: str) -> HttpResponse:
        """Return the printed document: always the same bytes for the same document."""
        document = to_print(documents_of_number(phone_number, _own(request))).filter(pk=invoice_id).first()
        if document is None:
            raise NotFound("Not Found", reason="unknown_document")
        return pdf_answer(request, document)

    def not_found(self) -> NotFound:
        if self.action == "billing":  # the refusal of the list has never had a reason
            return NotFound("Not Found")
        return super().not_found()


def _own(request: Request) -> Any:
    """Return the user to whose documents the caller is limited; None if the caller may see all documents."""
    return None if sees_everything(request.user) else request.user


class WalletViewSet(LineViewSet):
    """A line's wallet: balance, entries, top-ups and pay-outs."""

    @extend_schema(
        operation_id="get_wallet",
        summary="Get a line's wallet",
        description="The balance and the entries that made it, newest first; older entries with `before`.",
        tags=["wallet"],
        parameters=[PHONE_NUMBER, WalletQuery],
        responses={200: WalletOutput, **problem_responses(404, 422)},
    )
    @action(detail=True, methods=["get"])
    def wallet(self, request: Request, phone_number: str) -> Response:
        """Return the balance and the entries that made it, newest first; older entries with `before`."""
        query = WalletQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        statement = wallet_statement(phone_number=phone_number, before=query.validated_data.get("before"))
        return Response(WalletOutput(statement).data)

    @extend_schema(
        operation_id="top_up",
        summary="Top up a line's wallet",
        description=(
            "Collects the money through the payment gateway and adds it to the wallet. A repeated "
            "`reference` is answered with 200, and nothing is collected."
        ),
        tags=["wallet"],
        parameters=[PHONE_NUMBER],
        request=TopUpInput,
        responses={
            200: WalletEntryOutput,
            201: WalletEntryOutput,
            **problem_responses(402, 404, 409, 413, 415, 422, 502, 504),
        },
    )
    @action(detail=True, methods=["post"], url_path="top-ups", permission_classes=[MayTopUp], reads_line=True)
    def top_up(self, request: Request, phone_number: str) -> Response:
        """Collect the money and put it on the wallet. A repeated reference is answered with 200, and nothing
        is collected."""
        body = TopUpInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        entry, repeated = top_up_and_renew(
            line=self.line,
            amount=given["amount"],
            method=given["payment_method"],
            reference=given["reference"],
            at=timezone.now(),
            by=request.user.get_username(),
            staff=request.user.is_staff and request.user.has_perm(ADD_MONEY),
        )
        return Response(
            WalletEntryOutput(entry).data,
            status=status.HTTP_200_OK if repeated else status.HTTP_201_CREATED,
        )

    @extend_schema(
        operation_id="pay_out",
        summary="Pay out a line's wallet",
        description=(
            "Takes money that was paid to the line's holder from the wallet of a terminated line, or from a "
            "post-paid line's credit. Refused while something is due on the line. 200 means that nothing "
            "was taken: a dry run, or a `reference` that was paid out before."
        ),
        tags=["office"],
        parameters=[PHONE_NUMBER],
        request=PayOutInput,
        responses={
            200: WalletEntryOutput,
            201: WalletEntryOutput,
            **problem_responses(404, 409, 413, 415, 422),
        },
    )
    @action(
        detail=True, methods=["post"], url_path="pay-outs", permission_classes=[MayPayOut], reads_line=True
    )
    def pay_out(self, request: Request, phone_number: str) -> Response:
        """Take money that was paid to the line's holder from the wallet, once for each reference.

        200 means that nothing was taken: a dry run, or a reference that was paid out before.
        """
        body = PayOutInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        dry_run = given.pop("dry_run")

        def pay() -> tuple[Any, bool]:
            entry, repeated = pay_out(
                line=self.line,
                amount=given["amount"],
                method=given["payment_method"],
                reference=given["reference"],
                at=timezone.now(),
                by=request.user.get_username(),
            )
            return WalletEntryOutput(entry).data, repeated

        answer, repeated = retry_lost_locks(lambda: commit_unless_dry_run(pay, dry_run=dry_run))
        nothing_happened = dry_run or repeated
        return Response(answer, status.HTTP_200_OK if nothing_happened else status.HTTP_201_CREATED)
