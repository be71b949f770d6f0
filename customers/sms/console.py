"""SMS on the terminal, for development."""

import sys

from django.conf import settings

from customers.sms import SmsRefused


class ConsoleGateway:
    """Adapter that prints messages in development. In production it refuses them: output ends up in the logs,
    and logs must not contain personal data."""

    def send(self, *, phone_number: str, text: str) -> None:
        if not settings.DEBUG:
            raise SmsRefused("No SMS gateway is set up: set SMS_GATEWAY", reason="no_sms_gateway")
        sys.stdout.write(f"SMS to {phone_number}: {text}\n")
