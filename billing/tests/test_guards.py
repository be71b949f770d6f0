"""What was issued is not changed: not by the ORM, and not by anybody whom the database lets in."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, connection

from billing.checks import check_issuer
from billing.guards import create_guards, drop_guards, missing_guards
from billing.guards.upkeep import check_guards
from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceEvent, InvoiceLine, InvoiceSeries, InvoiceStatus, Issuer, Payment
from customers.models import Subscription
from telcox.common.database.frozen import FrozenRow
from telcox.testing.builders import FIXTURES, NOW
from telcox.testing.databases import fresh_database, manage, migrate
from telcox.testing.guards import tampering
from telcox.testing.processes import ROOT

JESUS = "0969786985"


@pytest.fixture
def draft(seeded: None) -> Invoice:
    return draft_invoice(subscription=Subscription.objects.get(line__phone_number=JESUS), at=NOW)


@pytest.fixture
def issued(draft: Invoice) -> Invoice:
    issue_invoice(invoice=draft, at=NOW)
    return Invoice.objects.get(pk=draft.pk)


def rename(invoice: Invoice) -> None:
    invoice.customer_name = "Nobody"
    invoice.save()


def rename_only(invoice: Invoice) -> None:
    invoice.customer_name = "Nobody"
    invoice.save(update_fields=["customer_name"])


def rename_in_bulk(invoice: Invoice) -> None:
    invoice.customer_name = "Nobody"
    Invoice.objects.bulk_update([invoice], ["customer_name"])


def lengthen(invoice: Invoice) -> None:
    line = invoice.lines.all()[0]
    line.quantity += 1
    line.save()


CHANGES: dict[str, Callable[[Invoice], object]] = {
    "saved": rename,
    "saved in part": rename_only,
    "saved in bulk": rename_in_bulk,
    "updated": lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(total=1, status="PAID"),
    "deleted": lambda invoice: invoice.delete(),
    "deleted with others": lambda invoice: Invoice.objects.all().delete(),
    "a line saved": lengthen,
    "a line updated": lambda invoice: invoice.lines.update(tax=0),
    "a line deleted": lambda invoice: invoice.lines.all().delete(),
    "its history": lambda invoice: invoice.events.update(by="nobody"),
    "its history deleted": lambda invoice: InvoiceEvent.objects.all().delete(),
    "a payment": lambda invoice: Payment.objects.update(amount=1),
    "an issuer": lambda invoice: Issuer.objects.update(name="Other"),
    "a series": lambda invoice: InvoiceSeries.objects.update(prefix="x"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_the_orm_refuses_it_where_there_are_no_triggers_too(issued: Invoice, change: str) -> None:
    with pytest.raises(FrozenRow):
        CHANGES[change](issued)


@pytest.mark.django_db
def test_what_happens_to_a_document_afterwards_is_no_part_of_it(issued: Invoice) -> None:
    issued.status, issued.usage_version = InvoiceStatus.PAID, 17
    issued.save()
    Invoice.objects.filter(pk=issued.pk).update(status=InvoiceStatus.ISSUED)
    issued.lines.all()[0].save()  # as it is
    issued.refresh_from_db()
    assert (issued.status, issued.usage_version) == (InvoiceStatus.ISSUED, 17)


@pytest.mark.django_db
def test_a_draft_is_changed_and_discarded(draft: Invoice) -> None:
    rename(draft)
    InvoiceLine.objects.filter(invoice=draft).update(description="other")
    discard_draft(invoice=draft)
    assert not Invoice.objects.drafts().exists()


@pytest.mark.django_db
def test_a_draft_s_line_is_not_moved_to_a_document(issued: Invoice, draft: Invoice) -> None:
    period = Subscription.objects.get(line__phone_number="0923456789")
    line = draft_invoice(subscription=period, at=NOW).lines.all()[0]
    with pytest.raises(IntegrityError):
        InvoiceLine.objects.filter(pk=line.pk).update(invoice=issued, position=9)


@pytest.mark.django_db(transaction=True)
def test_a_check_warns_as_long_as_triggers_are_missing() -> None:
    assert check_guards(None, databases=["default"]) == []
    with tampering():
        assert check_guards(None) == []  # nobody has asked for a database
        [warning] = check_guards(None, databases=["default"])
    assert (warning.id, str(warning.msg)[:20]) == ("billing.W001", "16 of the triggers t")


@pytest.mark.django_db(transaction=True)
def test_triggers_of_another_version_are_replaced_and_others_left_alone() -> None:
    own = "CREATE TRIGGER {} BEFORE DELETE ON billing_payment FOR EACH ROW "
    nothing = "BEGIN SELECT 1; END" if connection.vendor == "sqlite" else "SET @nothing = 1"
    with connection.cursor() as cursor:
        for name in ("frozen_billing_payment_delete_0", "somebodys"):
            cursor.execute(own.format(name) + nothing)
        drop_guards(connection, "INSERT")
        assert len(missing_guards(connection)) == 2
        create_guards(connection)
        assert not missing_guards(connection)
        cursor.execute("DROP TRIGGER somebodys")
        with pytest.raises(Exception, match=r"frozen_billing_payment_delete_0|not exist"):
            cursor.execute("DROP TRIGGER frozen_billing_payment_delete_0")


@pytest.mark.processes
def test_tables_are_altered_to_and_fro_and_the_triggers_are_there_again(
    tmp_path: Path, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock(), fresh_database(tmp_path) as url:
        env = {"DATABASE_URL": url}
        migrate(env)
        manage(env, "migrate", "billing", "0007", "--verbosity=0")
        manage(env, "migrate", "--verbosity=0")
        manage(env, "loaddata", *FIXTURES, "--verbosity=0")
        manage(env, "check", "--database=default", "--fail-level=WARNING")


@pytest.fixture
def without_triggers(transactional_db: Any, tmp_path: Path) -> Iterator[str]:
    """The DATABASE_URL of somebody who may do everything in a database but make triggers."""
    name = f"clerk_{secrets.token_hex(4)}"
    with fresh_database(tmp_path) as url, connection.cursor() as cursor:
        database = urlsplit(url).path[1:]
        cursor.execute(f"CREATE USER {name} IDENTIFIED BY 'x'")
        rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES"
        cursor.execute(f"GRANT {rights} ON {database}.* TO {name}")
        yield url.replace(url.split("//")[1].split("@")[0], f"{name}:x")
        cursor.execute(f"DROP USER {name}")


@pytest.mark.mariadb
@pytest.mark.processes
def test_where_the_server_refuses_triggers_migrate_says_so_and_goes_on(without_triggers: str) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": without_triggers},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr

    said = run("migrate", "--verbosity=0")
    assert "The database refuses to create triggers: (1142, " in said
    assert "log_bin_trust_function_creators=1" in said
    assert "16 of the triggers that guard documents are missing" in run("check", "--database=default")


def test_a_check_warns_as_long_as_nobody_issues_documents(db: None) -> None:
    assert check_issuer(None) == []
    [warning] = check_issuer(None, databases=["default"])
    assert warning.id == "billing.W002"
    Issuer.objects.create(name="TelcoX", tax_id="1")
    assert check_issuer(None, databases=["default"]) == []
