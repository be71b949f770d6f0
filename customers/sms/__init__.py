"""The port to whoever carries SMS to subscribers.

Adapters: `customers.sms.console.ConsoleGateway` shows them on the terminal, in development;
`customers.sms.http.HttpGateway` posts them to a gateway. SMS_GATEWAY names the one in use by its dotted path.
"""

from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from telcox.common.errors import DomainError


class SmsRefused(DomainError):
    """It was not sent, and would not be if it was tried again."""

    status = 502
    reason = "sms_refused"


class Gateway(Protocol):
    def send(self, *, phone_number: str, text: str) -> None:
        """Sends `text` to a (national) number.

        Raises SmsRefused, BadGateway (the gateway answers nonsense, or not at all) or GatewayTimeout (it
        takes too long): after those two, it may have been sent.
        """
        ...


def gateway() -> Gateway:
    """The adapter in use; one for the life of the process."""
    return _gateway(settings.SMS_GATEWAY)


@cache
def _gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())
