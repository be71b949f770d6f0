"""The offer that a body names."""

from typing import TypeVar

from customers.models import Pack, Plan
from telcox.common.errors import InvalidInput

Sold = TypeVar("Sold", Plan, Pack)


def offer_in_body(kind: type[Sold], code: str, field: str) -> Sold:
    """Raises InvalidInput if there is none: the path was found, it is the body that is wrong."""
    offer = kind.objects.filter(code=code).first()
    if (
        offer is None or offer.code != code
    ):  # MySQL's and MariaDB's collations take other letters for the same
        raise InvalidInput("Unknown code", loc=("body", field), type="unknown_code")
    return offer
