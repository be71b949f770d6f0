"""Payment port: collects the money of top-ups.

`LocalGateway` stands for money that the operator's staff has taken. The adapter of a payment provider
implements `PaymentGateway`. PAYMENT_GATEWAY names it by its dotted path, as Django names its caches.
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
    """Receipt for money that was collected under our reference. `confirmation` is the provider's number, if
    any."""

    reference: str
    confirmation: str = ""


class PaymentGateway(Protocol):
    def collect(
        self, *, phone_number: str, amount: Decimal, method: PaymentMethod, reference: str, staff: bool
    ) -> Collected:
        """Collect `amount` dollars for the line. `staff`: a member of the operator's staff with permission
        asks for it.

        Idempotent: repeated under the same reference, it collects nothing more and returns the same receipt.
        Raise PaymentDeclined, BadGateway if the provider's answer is invalid, or GatewayTimeout if it takes
        too long. After the last two the money may have been collected: repeat under the same reference to
        find out.
        """
        ...


def payment_gateway() -> PaymentGateway:
    """Return the adapter in use, one for the life of the process."""
    return _gateway(settings.PAYMENT_GATEWAY)


@cache
def _gateway(path: str) -> PaymentGateway:
    return cast(PaymentGateway, import_string(path)())


class LocalGateway:
    """Accepts a top-up if staff confirms that it has the money, or from any client while the API is open,
    which is for development. Customers alone are declined: otherwise they could credit themselves without
    paying."""

    def collect(
        self, *, phone_number: str, amount: Decimal, method: PaymentMethod, reference: str, staff: bool
    ) -> Collected:
        if not (staff or settings.API_OPEN):
            raise PaymentDeclined(_("Online payment is not available: please pay at one of our shops"))
        return Collected(reference)
