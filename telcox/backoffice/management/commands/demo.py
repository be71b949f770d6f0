from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing.sales.renewal import renew_subscriptions
from telcox.backoffice.demo import Login, login_made_before, make_login, seed_demo

EVENT = '{"phone_number": "0969786985", "category": "SOCIAL", "bytes": 1048576}'


class Command(BaseCommand):
    help = "Load the fixtures into an empty database, renew expired periods, and create a demo staff login."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the server (8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        login: Login | None
        if seed_demo(at=now):
            login = make_login()
        else:
            # The database was already in use: renew its periods, and create no login.
            renew_subscriptions(at=now)
            login = login_made_before()
        self._tell(login, options["port"])

    def _tell(self, login: Login | None, port: int) -> None:
        here = f"http://127.0.0.1:{port}"
        token = "" if settings.API_OPEN or not login else f"-H 'Authorization: Token {login.token}' "
        access = f": {login.username} / {login.password or '(printed when it was created)'}" if login else ""
        self.stdout.write(
            f"""
TelcoX

  {here}/admin/   back-office{access}
  {here}/docs     the API, to try in the browser
  ws://127.0.0.1:{port}/ws/usage?phone_number=0969786985   live feed

  curl {token}{here}/api/customers/0969786985/summary
  curl {token}{here}/api/customers/0969786985/billing
  curl {token}{here}/api/customers/0969786985/usage
  curl {token}{here}/api/dev/usage-event -H 'Content-Type: application/json' -d '{EVENT}'
"""
        )
