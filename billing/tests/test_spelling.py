"""Numbers and identities that were stored twice, in two spellings, are found by verify_billing."""

import pytest
from django.core.management import CommandError, call_command

from billing.verification import find_faults
from customers.models import Customer, Line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


def faults() -> set[str]:
    return {str(fault) for fault in find_faults()}


def line(number: str) -> Line:
    holder = Customer.objects.get(dni="0929668846")
    return Line.objects.create(customer=holder, phone_number=number, product_type="MOVIL")


def test_demo_data_has_none() -> None:
    assert faults() == set()


@pytest.mark.parametrize(
    "number", ["00593969786985", "+593969786985", "969786985", "096-978-6985", "096 978 6985", " 0969786985"]
)
def test_a_line_that_is_there_twice_is_found(number: str) -> None:
    line(number)
    assert faults() == {f"line {number}: it is stored twice: as 0969786985, too"}


def test_two_that_are_both_spelt_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("00593961112233", "961112233"):
        line(number)
    assert faults() == {
        "line 00593961112233: it is not found by its number, which is 0961112233",
        "line 961112233: it is stored twice: as 00593961112233, too",
    }
    with pytest.raises(CommandError):
        call_command("verify_billing")
    assert "line 961112233" in capsys.readouterr().out


def test_what_is_no_number_is_found() -> None:
    line("abc")
    assert faults() == {"line abc: its number cannot be one"}


@pytest.mark.parametrize("dni", ["092966884-6", "092 966 8846", " 0929668846"])
def test_a_customer_who_is_there_twice_is_found(dni: str) -> None:
    Customer.objects.create(dni=dni, full_name="Jesus Jacome")
    assert faults() == {f"customer {dni}: it is stored twice: as 0929668846, too"}


def test_one_that_is_spelt_otherwise_is_not_taken_for_two() -> None:
    Customer.objects.create(dni="ab1234 ", full_name="Ana", identity_kind="PASSPORT")
    assert faults() == {"customer ab1234 : it is not found by its number, which is AB1234"}


def test_what_is_called_a_cedula_and_is_none_is_found() -> None:
    Customer.objects.create(dni="1714307104", full_name="Ana", identity_kind="CEDULA")
    assert faults() == {"customer 1714307104: it is called a cédula, and its check digit is wrong"}
