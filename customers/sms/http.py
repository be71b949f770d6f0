"""SMS over HTTP: one POST of `{"to": "0969786985", "text": "…"}` for each message, with a bearer token."""

import time

import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from customers.sms import SmsRefused
from telcox.common.errors import BadGateway, GatewayTimeout
from telcox.common.http_exchange import exchange
from telcox.common.web.admission import stepped_out

# Connections in the pool; a message waits if all of them are busy.
CONNECTIONS = 4
# Statuses by which the gateway refuses a message for good.
REFUSALS = {400, 404, 409, 410, 422}


class HttpGateway:
    """Adapter that posts messages. Any 2xx status means that the gateway accepted the message. There is no
    second attempt: if the answer was cut off, the message may have been accepted."""

    def __init__(self) -> None:
        self._url = settings.SMS_URL
        self._seconds = settings.SMS_TIMEOUT_SECONDS
        self._headers = {"Authorization": f"Bearer {settings.SMS_TOKEN}"} if settings.SMS_TOKEN else {}
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, block=True)

    def send(self, *, phone_number: str, text: str) -> None:
        with stepped_out():
            status = self._post({"to": phone_number, "text": text})
        if status in REFUSALS:
            raise SmsRefused(f"The SMS gateway refused the message with status {status}")
        if not 200 <= status < 300:
            raise BadGateway(f"The SMS gateway answered with status {status}")

    def _post(self, message: dict[str, str]) -> int:
        deadline = time.monotonic() + self._seconds
        try:
            status, _body = exchange(
                self._pool, "POST", self._url, deadline=deadline, json=message, headers=self._headers
            )
        except NewConnectionError as error:
            raise BadGateway("No connection to the SMS gateway") from error
        except TimeoutError as error:
            raise GatewayTimeout("The SMS gateway did not answer in time") from error
        except HTTPError as error:
            raise BadGateway("The SMS gateway's answer ended too early") from error
        return status
