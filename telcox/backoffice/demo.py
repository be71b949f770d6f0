"""What a first look needs: data to look at, and somebody to log in as."""

import secrets
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.authtoken.models import Token

from billing.sales.renewal import renew_subscriptions
from customers.models import Customer
from usage.models import UsageEvent
from usage.services import record_usage
from usage.vocabulary import Category

FIXTURES = ("catalogue", "customers", "groups", "invoices")
USERNAME = "demo"


class Login(NamedTuple):
    username: str
    password: str | None  # None: made earlier, and only its hash was kept
    token: str


def seed_demo(*, at: datetime) -> bool:
    """Loads the fixtures into a database without customers; tells whether it did.

    A database with customers keeps what it has: loading again would set counters and wallets back.
    """
    if Customer.objects.exists():
        return False
    call_command("loaddata", *FIXTURES, verbosity=0)
    if renew_subscriptions(at=at):
        _use_again(at)
    return True


def _use_again(at: datetime) -> None:
    """Repeats the seed's usage in the present period: the fixtures' own has ended since they were written."""
    for event in UsageEvent.objects.filter(source="seed").select_related("subscription__line"):
        record_usage(
            phone_number=event.subscription.line.phone_number,
            category=Category(event.category),
            quantity=event.quantity,
            source="demo",
            event_id=event.event_id,
            at=at,
        )


def make_login() -> Login:
    """A superuser `demo`. The password is known only where nobody but this machine is answered (DEBUG)."""
    user, _ = User.objects.get_or_create(username=USERNAME, defaults={"is_staff": True, "is_superuser": True})
    password = USERNAME if settings.DEBUG else secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    return Login(USERNAME, password, Token.objects.get_or_create(user=user)[0].key)


def login_made_before() -> Login | None:
    """The demo's login, in a database that was seeded for one."""
    token = Token.objects.filter(user__username=USERNAME).first()
    return Login(USERNAME, USERNAME if settings.DEBUG else None, token.key) if token else None
