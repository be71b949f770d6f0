"""Data and a login for a first look."""

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
    password: str | None  # None: created by an earlier run, and only its hash is stored
    token: str


def seed_demo(*, at: datetime) -> bool:
    """Load the fixtures into a database without customers. Return whether they were loaded.

    A database with customers is left unchanged: loading again would set counters and wallets back.
    """
    if Customer.objects.exists():
        return False
    call_command("loaddata", *FIXTURES, verbosity=0)
    if renew_subscriptions(at=at):
        _use_again(at)
    return True


def _use_again(at: datetime) -> None:
    """Repeat the fixtures' usage in the current period, because the fixtures' own period has ended."""
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
    """Create a superuser `demo`. The password is fixed only if the server answers this machine alone
    (DEBUG)."""
    user, _ = User.objects.get_or_create(username=USERNAME, defaults={"is_staff": True, "is_superuser": True})
    password = USERNAME if settings.DEBUG else secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    return Login(USERNAME, password, Token.objects.get_or_create(user=user)[0].key)


def login_made_before() -> Login | None:
    """Return the demo's login of a database that was seeded before."""
    token = Token.objects.filter(user__username=USERNAME).first()
    return Login(USERNAME, USERNAME if settings.DEBUG else None, token.key) if token else None
