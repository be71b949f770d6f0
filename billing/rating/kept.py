"""Rating inputs that an invoice keeps: what its lines were calculated from."""

from typing import Any

import msgspec

from billing.models import Invoice
from billing.rating.rules import RatingInputs


def kept_inputs(invoice: Invoice) -> RatingInputs:
    """Return the inputs that the invoice's lines were calculated from."""
    return inputs_from(invoice.rated_from)


def inputs_from(rated_from: Any) -> RatingInputs:
    """Return rating inputs from the JSON that an invoice keeps."""
    return msgspec.convert(rated_from, RatingInputs, strict=False)
