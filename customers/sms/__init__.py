"""The port to an SMS gateway.

Adapters: `customers.sms.console.ConsoleGateway` prints messages on the terminal, in development;
`customers.sms.http.HttpGateway` posts them to a gateway. The setting SMS_GATEWAY names the adapter by its
dotted path.
"""

from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from telcox.common.errors import DomainError


class SmsRefused(DomainError):
    """The gateway refused the message, and would refuse it again."""

    status = 502
    reason = "sms_refused"


class Gateway(Protocol):
    def send(self, *, phone_number: str, text: str) -> None:
        """Send `text` to a (national) number.

        Raise SmsRefused; BadGateway if the gateway's answer is invalid or missing; GatewayTimeout if it takes
        too long. After the last two the message may have been sent.
        """
        ...


def gateway() -> Gateway:
    """Return the adapter in use; it is created once in a process."""
    return _gateway(settings.SMS_GATEWAY)


@cache
def _gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())
