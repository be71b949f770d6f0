"""Checks of what an operator has to enter before the first document (`manage.py check --database
default`)."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

from billing.guards.upkeep import is_migrated
from billing.invoicing.issuing import prefixes_of
from billing.models import InvoiceSeries, Issuer, TaxRate
from billing.models.series import LAST_NUMBER
from billing.verification.taxes import tax_faults

# A series is warned of when it has fewer numbers left than this: time to register the next one.
NUMBERS_LEFT = 1_000_000


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


def check_series(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning for each setting whose series will soon have given their last number."""
    return [
        Warning(
            f"{setting}: {left} numbers are left; the last one of a series is {LAST_NUMBER}.",
            hint=f"Create another series (back-office, Invoice series) and append it: {setting}={named},…",
            id="billing.W003",
        )
        for name in databases or ()
        if is_migrated(name)
        for setting in ("INVOICE_SERIES", "CREDIT_NOTE_SERIES")
        for named in [getattr(settings, setting)]
        if (left := _numbers_left(name, named)) < NUMBERS_LEFT
    ]


def _numbers_left(database: str, named: str) -> int:
    series = InvoiceSeries.objects.using(database).filter(prefix__in=prefixes_of(named))
    # A series that is missing is told when it is needed.
    return sum(each.numbers_left for each in series) if series else LAST_NUMBER


def check_taxes(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning for each reason why bills are refused for their tax rates."""
    return [
        Warning(
            f"{fault.of}: {fault.what}. Periods are quarantined and not billed.",
            hint="Delete what is no rate of the one tax on sales (back-office, Tax rates).",
            id="billing.W004",
        )
        for name in databases or ()
        if is_migrated(name)
        for fault in tax_faults(TaxRate.objects.using(name))
    ]
