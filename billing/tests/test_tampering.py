"""Whatever SQL does to an issued document, the database refuses it or verify_invoices finds it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import (
    Invoice,
    InvoiceEvent,
    InvoiceSeries,
    Issuer,
    Payment,
    WalletEntry,
)
from billing.settling.crediting import credit_invoice
from billing.settling.paying import receive_payment
from billing.tests.builders import spend_balances
from billing.verification.chain import Chain
from customers.models import Subscription
from telcox.testing.builders import NOW
from telcox.testing.guards import tampering
from usage.services import record_usage
from usage.vocabulary import Category

JESUS, BRUNO = "0969786985", "0923456789"

pytestmark = pytest.mark.django_db


class Change(NamedTuple):
    """What is told of it, and the SQL that makes it."""

    what: str
    statements: tuple[tuple[str, tuple[Any, ...]], ...]


@pytest.fixture
def note(seeded: None) -> Invoice:
    """A credit note over a part of an invoice, which was paid; after it an invoice of somebody else."""
    for prefix in ("001-001", "001-002"):
        InvoiceSeries.objects.get_or_create(prefix=prefix)
    Issuer.objects.create(name="Another", tax_id="1")
    for phone_number in (JESUS, BRUNO):
        record_usage(phone_number=phone_number, category=Category.SOCIAL, quantity=5, source="t", at=NOW)
        period = Subscription.objects.get(line__phone_number=phone_number)
        spend_balances(NOW)
        issue_invoice(invoice=draft_invoice(subscription=period, at=NOW), at=NOW)
    invoice = Invoice.objects.get(series__prefix="001-001", number=1)
    receive_payment(invoice=invoice, amount=Decimal(1), payment_method="EFECTIVO", reference="r", at=NOW)
    return credit_invoice(invoice=invoice, why="x", amounts={1: Decimal(1)}, at=NOW)


def faults() -> list[str]:
    found = []
    for series in InvoiceSeries.objects.all():
        chain = Chain(series)
        list(chain.walk())
        found += [str(chain.first)] * bool(chain.first)
    return found


def outcome(change: Change) -> str:
    """`refused`, `found` or `unnoticed`; whichever it is, it is as if it had not been."""
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for sql, values in change.statements:
                    cursor.execute(sql, values)
        except IntegrityError:
            return "refused"
        found = faults()
        transaction.set_rollback(True)
    return "found" if found else "unnoticed"


def other_values(row: models.Model, field: Any) -> Iterator[Any]:
    """What could stand in a column instead of what does."""
    value = getattr(row, field.attname)
    if field.name in ("id", "usage_version", "line_count", "position", "number"):
        yield value + 1
    elif isinstance(field, models.ForeignKey):
        yield from _others(field.related_model, value)
        yield from [None] * (field.null and value is not None)
    elif field.choices:
        yield from {choice for choice, _ in field.choices} - {value}
    elif isinstance(field, models.DecimalField):
        yield str((value or Decimal(0)) + Decimal("0.01"))
        yield from [None] * (field.null and value is not None)
    elif isinstance(field, models.DateTimeField):
        yield connection.ops.adapt_datetimefield_value(value + timedelta(seconds=1))
    elif isinstance(field, models.DateField):
        yield str(value + timedelta(days=1))
    elif isinstance(field, models.JSONField):
        yield "{}"
    elif isinstance(field, models.BooleanField):
        yield None if value else True
    elif isinstance(field, models.CharField):
        assert field.max_length
        # Which some collations hold for the same.
        yield from {value.swapcase(), f"{value} "[: field.max_length], "other"} - {value}
    else:
        yield 1 if value is None else None


def _others(model: Any, value: int | None) -> list[int]:
    return list(model.objects.exclude(pk=value).order_by("pk").values_list("pk", flat=True)[:2])


def changes_of(row: models.Model) -> Iterator[Change]:
    table = row._meta.db_table
    for field in row._meta.concrete_fields:
        if table == "billing_invoiceline" and field.primary_key:
            continue  # nothing tells a line from itself under another key
        column = connection.ops.quote_name(field.column)
        for value in other_values(row, field):
            sql = f"UPDATE {table} SET {column} = %s WHERE id = %s"  # noqa: S608
            yield Change(f"{table} {field.name}: {value!r}", ((sql, (value, row.pk)),))


def changes_of_document(document: Invoice) -> list[Change]:
    return [*changes_of(document), *(each for line in document.lines.all() for each in changes_of(line))]


def without(document: Invoice) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """A document taken out, and what refers to it."""
    tables = ("billing_payment", "billing_invoiceevent", "billing_invoiceline")
    referring = [(f"DELETE FROM {table} WHERE invoice_id = %s", (document.pk,)) for table in tables]  # noqa: S608
    return (*referring, ("DELETE FROM billing_invoice WHERE id = %s", (document.pk,)))


def set_back(document: Invoice) -> tuple[str, tuple[Any, ...]]:
    return (
        "UPDATE billing_invoiceseries SET last_number = last_number - 1, last_hash = %s WHERE id = %s",
        (document.previous_hash, document.series_id),
    )


def copied(row: models.Model, **other: Any) -> tuple[str, tuple[Any, ...]]:
    """The INSERT of a row like another."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    sources = ", ".join(
        "%s" if field.name in other else connection.ops.quote_name(field.column) for field in fields
    )
    table = row._meta.db_table
    sql = f"INSERT INTO {table} ({columns}) SELECT {sources} FROM {table} WHERE id = %s"  # noqa: S608
    return sql, (*(other[field.name] for field in fields if field.name in other), row.pk)


def changes_of_series() -> list[Change]:
    """Documents and lines taken out, put in and exchanged; the series itself changed."""
    first, second = Invoice.objects.filter(series__prefix="001-001").order_by("number")
    number_it = "UPDATE billing_invoice SET number = %s WHERE id = %s"
    line = first.lines.all()[0]
    give_three = (
        "UPDATE billing_invoiceseries SET last_number = 3, last_hash = %s WHERE id = %s",
        ("f" * 64, first.series_id),
    )
    forged = copied(
        second,
        number=3,
        subscription=None,
        issued_at=connection.ops.adapt_datetimefield_value(NOW),
        previous_hash=second.content_hash,
        content_hash="f" * 64,
    )
    below = copied(
        second,
        number=0,
        subscription=None,
        issued_at=connection.ops.adapt_datetimefield_value(NOW),
        previous_hash="",
        content_hash="f" * 64,
    )
    swap = [(number_it, (9, first.pk)), (number_it, (1, second.pk)), (number_it, (2, first.pk))]
    return [
        Change("a document out", without(first)),
        Change("the last document out", without(second)),
        Change("the series set back", (set_back(second),)),
        Change("the series set forward", (give_three,)),
        Change("a line out", (("DELETE FROM billing_invoiceline WHERE id = %s", (line.pk,)),)),
        Change("a line in", (copied(line, position=first.lines.count() + 1),)),
        Change("numbers exchanged", tuple(swap)),
        Change("a document put in", (forged,)),
        Change("a document put in and counted", (give_three, forged)),
        Change("a document put in below the first", (below,)),
        *(
            change
            for change in changes_of(InvoiceSeries.objects.get(prefix="001-001"))
            if "last" not in change.what
        ),
    ]


# What may change after issue (Invoice.MUTABLE), and a series that goes on: only verify_invoices tells.
FOUND_ONLY = ("billing_invoice status", "billing_invoice in_force", "billing_invoice usage_version")
COUNTED = ("the series set forward", "a document put in and counted", "a document put in below the first")


def test_nothing_is_wrong_with_what_was_not_tampered_with(note: Invoice) -> None:
    assert faults() == []


@pytest.mark.parametrize("of", ["invoice", "credit note"])
def test_the_database_refuses_to_change_any_column(note: Invoice, of: str) -> None:
    document = note.corrects if of == "invoice" else note
    assert document
    for change in changes_of_document(document):
        expected = {"refused", "found"} if change.what.startswith(FOUND_ONLY) else {"refused"}
        assert outcome(change) in expected, change


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of", ["invoice", "credit note"])
def test_without_guards_any_change_is_found(note: Invoice, of: str) -> None:
    document = note.corrects if of == "invoice" else note
    assert document
    with tampering():
        came_of_it = {change: outcome(change) for change in changes_of_document(document)}
    assert not [change for change, of_it in came_of_it.items() if of_it == "unnoticed"]
    assert len([of_it for of_it in came_of_it.values() if of_it == "found"]) > 30


def test_the_database_refuses_to_take_out_put_in_and_exchange(note: Invoice) -> None:
    for change in changes_of_series():
        assert outcome(change) == ("found" if change.what in COUNTED else "refused"), change


@pytest.mark.django_db(transaction=True)
def test_without_guards_what_was_taken_out_put_in_or_exchanged_is_found(note: Invoice) -> None:
    with tampering():
        came_of_it = {change: outcome(change) for change in changes_of_series()}
    assert not [change for change, of_it in came_of_it.items() if of_it == "unnoticed"]


@pytest.mark.django_db(transaction=True)
def test_a_series_set_back_with_its_last_document_is_found_by_a_seal_noted_elsewhere(
    note: Invoice, capsys: pytest.CaptureFixture[str]
) -> None:
    last = Invoice.objects.get(series__prefix="001-001", number=2)
    call_command("verify_invoices", "--noted", f"{last.full_number}={last.content_hash}")
    assert f"001-001: 2 documents proved, seal {last.content_hash}\n" in capsys.readouterr().out
    with tampering(), connection.cursor() as cursor:
        for sql, values in (*without(last), set_back(last)):
            cursor.execute(sql, values)
    call_command("verify_invoices")
    assert f"001-001: 1 documents proved, seal {last.previous_hash}\n" in capsys.readouterr().out
    with pytest.raises(CommandError, match="1 fault"):
        call_command("verify_invoices", "--noted", f"{last.full_number}={last.content_hash}")
    assert "001-001-000000002: the document is missing, and its seal was noted" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_the_first_that_is_wrong_is_named_and_the_others_counted(
    note: Invoice, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.verification.chain.NUMBERS_AT_ONCE", 1)
    with tampering():
        Invoice.objects.filter(series__prefix="001-001").update(customer_name="Nobody")
    call_command("verify_invoices", "--series", "HIST", "--series", "001-002")
    assert capsys.readouterr().out.startswith("001-002: 1 documents proved")
    with pytest.raises(CommandError, match="2 fault"):
        call_command("verify_invoices")
    told = capsys.readouterr().out
    assert "001-001-000000001: its content differs from its seal (the first of 2 faults)\n" in told
    assert "HIST: 3 documents proved" in told


@pytest.mark.django_db(transaction=True)
def test_a_history_without_its_beginning_is_found(note: Invoice) -> None:
    """Only documents without an issuer may have one: they can be older than histories."""
    invoice = note.corrects
    assert invoice
    assert invoice.issuer_id
    steps = InvoiceEvent.objects.filter(invoice=invoice).order_by("pk")
    assert len(steps) > 1
    with tampering():
        steps[0].delete()
    [fault] = faults()
    assert fault.endswith(f"it is {invoice.status}, by its history {invoice.status}")


def test_there_is_no_proof_of_a_series_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="unknown series: 009-009"):
        call_command("verify_invoices", "--series", "009-009")


@pytest.mark.parametrize("model", [Payment, InvoiceEvent, WalletEntry, Issuer])
def test_what_is_noted_for_good_is_neither_changed_nor_deleted(note: Invoice, model: Any) -> None:
    row = model.objects.order_by("pk").last()
    for change in changes_of(row):
        assert outcome(change) == "refused", change
    table = model._meta.db_table
    assert outcome(Change("out", ((f"DELETE FROM {table} WHERE id = %s", (row.pk,)),))) == "refused"  # noqa: S608
    assert outcome(Change("as it is", ((f"UPDATE {table} SET id = id", ()),))) == "unnoticed"  # noqa: S608
