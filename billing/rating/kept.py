"""What an invoice keeps of its rating: the inputs that its lines were calculated from."""

from typing import Any

import msgspec

from billing.models import Invoice
from billing.rating.rules import Rated, RatingInputs


def facts_kept(invoice: Invoice) -> RatingInputs:
    """What the invoice's lines were reckoned from."""
    return facts_of_invoice(invoice.rated_from)


def rated_again(invoice: Invoice) -> Rated:
    """What the invoice's lines were made of, reckoned again from what it keeps."""
    return facts_kept(invoice).rate()


def facts_of_invoice(rated_from: Any) -> RatingInputs:
    """As an invoice keeps them."""
    return msgspec.convert(rated_from, RatingInputs, strict=False)
