"""SMS on the terminal, for development."""

import sys

from django.conf import settings

from customers.sms import SmsRefused


class ConsoleGateway:
    """In production it carries nothing: what is printed there ends in the logs, and no personal data does."""

    def send(self, *, phone_number: str, text: str) -> None:
        if not settings.DEBUG:
            raise SmsRefused("No SMS gateway is set up: set SMS_GATEWAY", reason="no_sms_gateway")
        sys.stdout.write(f"SMS to {phone_number}: {text}\n")
