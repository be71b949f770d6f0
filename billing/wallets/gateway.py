"""The port to whoever collects the money of a top-up.

`LocalGateway` stands for money that the operator's own staff took. The adapter of a payment provider
implements `PaymentGateway`; PAYMENT_GATEWAY names it by its dotted path, as Django's caches are named.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from billing.models import PaymentMethod
from telcox.common.errors import PaymentDeclined


@dataclass(frozen=True)
class Collected:
    """Money was collected under our reference. `confirmation` is what the provider calls it, if it does."""

    reference: str
    confirmation: str = ""


class PaymentGateway(Protocol):
    def collect(
        self, *, phone_number: str, amount: Decimal, method: PaymentMethod, reference: str, staff: bool
    ) -> Collected:
        """Collects `amount` dollars for the line; `staff`: one of the operator's, who may, asks for it.

        Asked again under the same reference, it collects nothing more and gives the same receipt. Raises
        PaymentDeclined; BadGateway (the provider answers nonsense) or GatewayTimeout (it takes too long):
        then it may have been collected, and asking again under the same reference tells.
        """
        ...


def payment_gateway() -> PaymentGateway:
    """The adapter in use; one for the life of the process."""
    return _gateway(settings.PAYMENT_GATEWAY)


@cache
def _gateway(path: str) -> PaymentGateway:
    return cast(PaymentGateway, import_string(path)())


class LocalGateway:
    """Takes the word of staff that they have the money; and anybody's while the API is open, which is for
    development. A customer's alone would let them print it."""

    def collect(
        self, *, phone_number: str, amount: Decimal, method: PaymentMethod, reference: str, staff: bool
    ) -> Collected:
        if not (staff or settings.API_OPEN):
            raise PaymentDeclined(_("Online payment is not available: please pay at one of our shops"))
        return Collected(reference)
