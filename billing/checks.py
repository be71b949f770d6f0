"""Checks of what an operator has to enter before the first document (`manage.py check --database
default`)."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Warning

from billing.guards.upkeep import is_migrated
from billing.models import Issuer


def check_issuer(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning for each database that is migrated and has no issuer."""
    return [
        Warning(
            "No issuer is entered: documents are printed without the operator's name and RUC.",
            hint="Enter the operator's name, RUC, address and logo in the back-office (Issuers).",
            id="billing.W002",
        )
        for name in databases or ()
        if is_migrated(name) and not Issuer.objects.using(name).exists()
    ]
