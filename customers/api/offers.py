"""Look up the plan or pack that a request body names."""

from typing import TypeVar

from customers.models import Pack, Plan
from telcox.common.errors import InvalidInput

Sold = TypeVar("Sold", Plan, Pack)


def offer_in_body(kind: type[Sold], code: str, field: str) -> Sold:
    """Return the plan or pack with this code.

    Raise InvalidInput (422) if there is none, and not NotFound: the path is right, the body is wrong.
    """
    offer = kind.objects.filter(code=code).first()
    if offer is None or offer.code != code:  # collations of MySQL and MariaDB ignore case and accents
        raise InvalidInput("Unknown code", loc=("body", field), type="unknown_code")
    return offer
