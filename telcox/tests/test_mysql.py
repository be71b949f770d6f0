"""What our MySQL backend leaves out, and that nothing is lost by it."""

from typing import Any

import pytest
from django.db import OperationalError, close_old_connections, connection, connections, transaction
from django.db.transaction import TransactionManagementError

from customers.models import Customer

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]


def done(what: str) -> int:
    """How often this connection did it; asking does not count."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE %s", [f"Com_{what}"])
        return int(cursor.fetchone()[1])


@transaction.atomic
def create_and_fail(dni: str) -> None:
    Customer.objects.create(dni=dni, full_name="Eva")
    raise ZeroDivisionError


def test_a_transaction_begins_and_commits_and_sets_nothing() -> None:
    begun, committed, set_option = done("begin"), done("commit"), done("set_option")
    with transaction.atomic():
        Customer.objects.create(dni="1", full_name="Ana")
    assert (done("begin"), done("commit")) == (begun + 1, committed + 1)
    assert done("set_option") == set_option


def test_what_is_rolled_back_is_gone_and_the_next_statement_commits_itself() -> None:
    with pytest.raises(ZeroDivisionError):
        create_and_fail("1")
    Customer.objects.create(dni="2", full_name="Eva")
    connection.close()
    assert list(Customer.objects.values_list("dni", flat=True)) == ["2"]


def test_a_savepoint_is_rolled_back_alone() -> None:
    with transaction.atomic():
        Customer.objects.create(dni="1", full_name="Ana")
        with pytest.raises(ZeroDivisionError):
            create_and_fail("2")
    assert list(Customer.objects.values_list("dni", flat=True)) == ["1"]
    assert connection.get_autocommit()


def test_transactions_are_still_minded() -> None:
    with pytest.raises(TransactionManagementError), transaction.atomic():
        connection.set_autocommit(True)


@pytest.fixture
def dropped() -> None:
    """This thread's connection, ended by the server a moment after it was last asked."""
    mine: Any = connections["default"]
    mine.ensure_connection()
    with mine.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        [number] = cursor.fetchone()
    killer = mine.copy()
    with killer.cursor() as cursor:
        cursor.execute("KILL %s", [number])
    killer.close()
    mine.health_check_enabled = True
    close_old_connections()  # a request begins: asked a moment ago, so not again


@pytest.mark.usefixtures("dropped")
def test_a_query_on_a_dropped_connection_costs_one_error_and_it_is_replaced() -> None:
    with pytest.raises(OperationalError):
        Customer.objects.count()
    close_old_connections()  # the request ends
    assert Customer.objects.count() == 0


@pytest.mark.usefixtures("dropped")
def test_a_transaction_on_a_dropped_connection_begins_on_a_fresh_one() -> None:
    with pytest.raises(ZeroDivisionError):
        create_and_fail("1")
    with transaction.atomic():
        Customer.objects.create(dni="2", full_name="Eva")
    connection.close()
    assert list(Customer.objects.values_list("dni", flat=True)) == ["2"]


@pytest.mark.usefixtures("dropped")
def test_where_the_server_is_away_as_well_the_error_is_the_one_that_is_answered_with_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver: Any = connections["default"].Database  # type: ignore[attr-defined]

    def refuse(*_: Any, **__: Any) -> None:
        raise driver.OperationalError(2013, "Lost connection to server at handshake")

    monkeypatch.setattr(driver, "connect", refuse)
    with pytest.raises(OperationalError, match="at handshake"), transaction.atomic():
        pass
