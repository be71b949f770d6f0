"""What an invoice keeps of its rating: the inputs that its lines were calculated from."""

from typing import Any

import msgspec

from billing.models import Invoice
from billing.rating.rules import Rated, RatingInputs


def kept_inputs(invoice: Invoice) -> RatingInputs:
    """What the invoice's lines were reckoned from."""
    return inputs_from(invoice.rated_from)


def rate_again(invoice: Invoice) -> Rated:
    """What the invoice's lines were made of, reckoned again from what it keeps."""
    return kept_inputs(invoice).rate()


def inputs_from(rated_from: Any) -> RatingInputs:
    """As an invoice keeps them."""
    return msgspec.convert(rated_from, RatingInputs, strict=False)
