"""The seal of a document: the hash of all that it says, and of the seal before it in its series.

This is a hash chain. Changing, removing or inserting a document breaks the chain from there on, unless
every later seal is made anew; a seal that was printed, mailed or noted elsewhere cannot be made anew. The
sealed fields never change: a field that is added to documents later is sealed only if it has a value.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

import msgspec


class SealedLine(Protocol):
    """The fields of an InvoiceLine that are sealed."""

    position: Any
    description: Any
    quantity: Any
    unit: Any
    unit_price: Any
    amount: Any
    discount: Any
    tax: Any
    credits: Any
    late_for: Any
    tax_rate: Any


def seal_document(
    invoice: Any, lines: Sequence[SealedLine], *, number: str, corrects: str, before: str
) -> str:
    """Return the seal, 64 hexadecimal digits, of a document with the written number `number`. `corrects` is
    the written number of the document that it corrects, `before` the seal before it; both may be empty.

    No keys of rows are in it, so it is the same in every database the document is loaded into. A period is
    named by its sequence among its line's.
    """
    content = {
        "number": number,
        "kind": invoice.kind,
        "corrects": corrects,
        "period": invoice.period,
        "dni": invoice.customer_dni,
        "name": invoice.customer_name,
        "address": invoice.customer_address,
        "phone_number": invoice.phone_number,
        "language": invoice.language,
        "amounts": [
            _cents(amount) for amount in (invoice.subtotal, invoice.discount, invoice.tax, invoice.total)
        ],
        "tax_rate": f"{invoice.tax_rate:.4f}",
        "issued_at": _moment(invoice.issued_at),
        "due_on": _day(invoice.due_on),
        "rated_from": invoice.rated_from,
        "lines": [_line(line) for line in lines],
    }
    if invoice.customer_identity_kind:
        content["identity_kind"] = invoice.customer_identity_kind
    if invoice.subscription:
        content["sequence"] = invoice.subscription.sequence
    if invoice.issuer:
        content["issuer"] = _issuer(*(getattr(invoice.issuer, name) for name in _PRINTED))
    written = msgspec.json.encode(content, order="sorted")
    return hashlib.sha256(before.encode() + written).hexdigest()


# Fields of an issuer that are printed on documents.
_PRINTED = ("name", "tax_id", "address", "contact", "logo", "verification_url")


@lru_cache(maxsize=64)
def _issuer(*printed: str) -> str:
    """Return the hash of the issuer's printed fields: short, even if the logo is large."""
    return hashlib.sha256(msgspec.json.encode(printed)).hexdigest()


def _line(line: SealedLine) -> list[Any]:
    sealed = [
        line.position,
        line.description,
        f"{line.quantity:.6f}",
        line.unit,
        f"{line.unit_price:.6f}",
        _cents(line.amount),
        _cents(line.discount),
        _cents(line.tax),
        line.credits,
    ]
    if line.late_for:
        sealed.append(line.late_for.sequence)
    if line.tax_rate is not None:
        sealed.append(f"{line.tax_rate:.4f}")
    return sealed


def _cents(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _day(day: date) -> str:
    return day.isoformat()
