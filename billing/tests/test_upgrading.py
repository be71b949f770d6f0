"""Upgrades of databases with documents in them, from every state of the migrations that was in use."""

import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import transaction

from billing.models import Invoice, InvoiceEvent, InvoiceStatus
from billing.tests.upgrades import Values, as_stored, database_of_its_own, dumps, key_of, upgrade
from billing.verification import find_faults
from billing.wallets.setting_off import set_off_due
from telcox.testing.builders import NOW

# The upgrade takes 7 s of processor time, which is over a minute on a machine with ten times too much to do.
pytestmark = pytest.mark.timeout(600)

Rows = dict[tuple[str, Any], Values]


@pytest.fixture(scope="module", autouse=True)
def upgraded(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A database that lived through all these states. Nothing here writes to it."""
    folder = tmp_path_factory.mktemp("upgraded")
    with django_db_blocker.unblock(), database_of_its_own(folder):
        upgrade(dumps())
        yield


@pytest.fixture
def printed() -> Callable[[str], str]:
    def run(command: str) -> str:
        out = StringIO()
        call_command(command, stdout=out)
        return out.getvalue()

    return run


def left_by_programs() -> Rows:
    """The rows as the last program that wrote them left them."""
    left: Rows = {}
    for dump in dumps():
        for label, values in dump.rows():
            left[label, key_of(apps.get_model(label), values)] = values
        for label, changed in dump.changes.items():
            for key, values in changed.items():
                # Migrations made the row of a series, a program only what is in it.
                left.setdefault((label, int(key)), {}).update(values)
    return left


def test_each_document_is_proved(printed: Callable[[str], str]) -> None:
    proved = dict(re.findall(r"^(\S+): (\d+) documents proved", printed("verify_invoices"), re.MULTILINE))
    assert proved == {"HIST": "3", "001-001": "25", "001-002": "4"}


@pytest.mark.parametrize("command", ["verify_wallets", "verify_usage"])
def test_everything_else_is_as_it_has_to_be(command: str, printed: Callable[[str], str]) -> None:
    assert printed(command)  # raises CommandError if it finds a fault


def test_all_bills_are_right_but_for_credit_that_the_next_run_sets_off() -> None:
    """An old program suspended a line for 18.63 beside the 3.10 on its wallet."""
    beside = "invoice 001-001-000000015: it is open beside credit on its line's wallet, which was not set off"
    assert [str(fault) for fault in find_faults()] == [beside]
    with transaction.atomic():
        assert sum(set_off_due(at=NOW)) == 1
        assert not list(find_faults())
        transaction.set_rollback(True)


def test_migrations_change_nothing_that_was_there_but_the_status_of_invoices_of_nothing() -> None:
    left = left_by_programs()
    assert len(left) > 400
    changed = []
    for (label, key), values in left.items():
        model = apps.get_model(label)
        stored = model._base_manager.filter(pk=key).values(*values).get()
        expected = as_stored(model, values)
        changed += [
            (label, key, name, value, stored[name])
            for name, value in expected.items()
            if stored[name] != value
        ]
    nothing = Invoice.objects.filter(total=0).order_by("pk").values_list("pk", flat=True)
    assert changed == [("billing.Invoice", pk, "status", "ISSUED", "PAID") for pk in nothing]
    assert len(changed) == 2


def test_an_invoice_of_nothing_is_paid_and_its_history_says_why() -> None:
    steps = InvoiceEvent.objects.filter(invoice__total=0).values_list("from_status", "to_status", "why")
    assert set(steps) == {("ISSUED", "PAID", "No hay nada que pagar")}


def test_there_is_a_document_of_every_standing() -> None:
    """From before documents were sealed, and from after."""
    for issuer_is_missing in (True, False):
        found = Invoice.objects.filter(issuer__isnull=issuer_is_missing).exclude(content_hash=None)
        standings = set(found.filter(corrects=None).values_list("status", flat=True))
        assert standings == set(InvoiceStatus) - {InvoiceStatus.DRAFT}
    assert Invoice.objects.drafts().count() == 2
