"""Digest and sums of the simulated operator, the same on every database."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, F, Model, QuerySet, Sum

from billing.models import BankTransfer, Invoice, InvoiceLine, Payment, TransferPart, WalletEntry
from customers.models import HolderChange, Line, LineEvent, PlanChange, SoldPack, Subscription, Suspension
from usage.models import UsageCounter, UsageDay

_AT_ONCE = 2_000


def operator_digest() -> str:
    """Return the SHA-256 of lines, their history and periods, usage, invoices, payments, wallets and bank
    transfers. Primary
    keys are left out, and so are references, some of which contain primary keys."""
    sha = hashlib.sha256()
    for rows in _outcome():
        sha.update(rows.model._meta.label.encode())
        for row in rows.iterator(chunk_size=_AT_ONCE):
            sha.update(json.dumps(row, default=_written, sort_keys=True).encode())
            sha.update(b"\n")
    return sha.hexdigest()


def _outcome() -> Iterator[QuerySet[Any, Any]]:
    number, of_invoice = "line__phone_number", "invoice__series__prefix"
    yield _rows(Line, "phone_number", of=("customer__dni",))
    yield _rows(LineEvent, number, "pk", of=(number, "subscription__sequence"))
    yield _rows(Suspension, number, "start_at", "pk", of=(number,))
    yield _rows(HolderChange, number, "pk", of=(number, "previous__dni", "customer__dni"))
    yield _rows(PlanChange, number, "pk", of=(number, "plan__code"))
    yield _rows(
        Subscription, number, "sequence", of=(number, "customer__dni", "plan__code", "renewed_from__sequence")
    )
    period = ("subscription__line__phone_number", "subscription__sequence")
    yield _rows(SoldPack, *period, "pk", of=(*period, "pack__code"))
    yield _rows(UsageCounter, *period, of=period)
    yield _rows(UsageDay, *period, "day", of=period)
    numbered = ("series__prefix", "number", "phone_number", "period")
    yield _rows(Invoice, *numbered, "pk", of=("customer__dni", "series__prefix", *period))
    document = (of_invoice, "invoice__number", "invoice__phone_number", "invoice__period", "invoice_id")
    yield _rows(InvoiceLine, *document, "position", of=(*document[:4], "late_for__sequence"))
    yield _rows(Payment, *document, "pk", of=document[:4])
    entry = ("wallet__line__phone_number", "position")
    yield _rows(WalletEntry, *entry, of=(entry[0], period[1]))
    settled = (
        "payment__invoice__series__prefix",
        "payment__invoice__number",
        "entry__wallet__line__phone_number",
    )
    yield _rows(BankTransfer, "pk", of=settled)
    yield _rows(TransferPart, "pk", of=("transfer__concept", "payment__invoice__number"))


def _rows(model: type[Model], *order: str, of: tuple[str, ...]) -> QuerySet[Any, Any]:
    fields = [
        field.name
        for field in model._meta.concrete_fields
        if not field.primary_key and not field.is_relation and field.name != "reference"
    ]
    return model._default_manager.order_by(*order).values_list(*fields, *of)


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def operator_sums() -> dict[str, Any]:
    """Return the number of rows of each kind, and their sums."""
    issued = Invoice.objects.issued().aggregate(
        invoices=Count("pk"),
        subtotal=Sum("subtotal"),
        discount=Sum("discount"),
        tax=Sum("tax"),
        total=Sum("total"),
    )
    late = InvoiceLine.objects.filter(late_for__isnull=False).aggregate(
        number=Count("pk"), amount=Sum("amount")
    )
    entries = WalletEntry.objects.order_by("kind").values_list("kind").annotate(Count("pk"), Sum("amount"))
    return {
        "lines": dict(Line.objects.order_by("status").values_list("status").annotate(Count("pk"))),
        "periods": Subscription.objects.count(),
        "drafts": Invoice.objects.drafts().count(),
        "invoices": issued.pop("invoices"),
        **{name: f"{amount or 0:.2f}" for name, amount in issued.items()},
        "late use": f"{late['number']} lines over {late['amount'] or 0:.2f}",
        "paid": f"{Payment.objects.aggregate(paid=Sum('amount'))['paid'] or 0:.2f}",
        "bank transfers": dict(
            BankTransfer.objects.order_by("problem").values_list("problem").annotate(Count("pk"))
        ),
        "wallets": {kind: f"{number} over {amount:.2f}" for kind, number, amount in entries},
        "steps noted": LineEvent.objects.aggregate(number=Count(F("pk")))["number"],
    }
