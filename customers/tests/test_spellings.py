"""One person and one number are one row, however clerks spell them."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from customers.models import Customer, Line
from telcox.testing.office import as_shown, new, somebody_of, told, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def shop() -> Client:
    return somebody_of("Atención al cliente")


def line(number: str, **other: Any) -> dict[str, Any]:
    customer = Customer.objects.get(dni="0929668846")
    return {"customer": customer.pk, "phone_number": number, "product_type": "MOVIL", **other}


def customer(dni: str, kind: str = "", **other: Any) -> dict[str, Any]:
    lines = {"lines-TOTAL_FORMS": "0", "lines-INITIAL_FORMS": "0"}
    named = {"dni": dni, "identity_kind": kind, "full_name": "Ana Vera", "language": "es"}
    return {**named, **lines, **other}


class TestNumbers:
    @pytest.mark.parametrize(
        "written",
        [
            *("0969786985", "00593969786985", "+593969786985", "096 978 6985", "096-978-6985", "969786985"),
            *("+593 (0)96 978 6985", "\u200e0969786985", "096\u00a0978\u00a06985", "０９６９７８６９８５"),
            *(
                "+ 593 96 978 6985",
                "( 096 ) 978 6985",
                "(+593) 96 978-69-85",
                "593.0.96.978.6985",
                "00 593 969786985",
            ),
        ],
    )
    def test_there_is_a_line_with_this_number(self, shop: Client, written: str) -> None:
        response = shop.post(new(Line), line(written))
        [error] = response.context["adminform"].form.errors["phone_number"]
        assert "already exists" in error
        assert Line.objects.count() == 3

    @pytest.mark.parametrize("written", ["096 111 2233", "+593 96-111-2233", "961112233"])
    def test_a_new_line_is_stored_in_the_normal_form(self, shop: Client, written: str) -> None:
        assert shop.post(new(Line), line(written)).status_code == 302
        assert Line.objects.filter(phone_number="0961112233").exists()

    @pytest.mark.parametrize(
        "written",
        ["55555", "12345", "0123456789", "+12025550123", "09691122334", "0969786985/86", "1800123456"],
    )
    def test_what_cannot_be_a_number_of_the_country_is_refused(self, shop: Client, written: str) -> None:
        response = shop.post(new(Line), line(written))
        assert response.context["adminform"].form.errors["phone_number"] == [
            "This is not a phone number of the country. Enter all of its digits, with the area code."
        ]
        assert Line.objects.count() == 3

    def test_with_the_customer_too(self, shop: Client) -> None:
        given = {
            **customer("1714307103"),
            "lines-TOTAL_FORMS": "1",
            "lines-0-phone_number": "+593 (0)96 978 6985",
            "lines-0-product_type": "MOVIL",
        }
        response = shop.post(new(Customer), given)
        assert response.status_code == 200
        assert Customer.objects.count() == 3

    def test_a_line_that_was_stored_otherwise_can_still_be_edited(self, shop: Client) -> None:
        Line.objects.filter(phone_number="0934567890").update(phone_number="55555")
        odd = Line.objects.get(phone_number="55555")
        assert shop.post(url(odd), {**as_shown(shop, url(odd)), "auto_renew": ""}).status_code == 302
        odd.refresh_from_db()
        assert (odd.phone_number, odd.auto_renew) == ("55555", False)


class TestIdentities:
    @pytest.mark.parametrize(
        "written", ["0929668846", "092966884-6", "092 966 884 6", "\u200e0929668846", "０９２９６６８８４６"]
    )
    def test_there_is_a_customer_with_this_identity(self, shop: Client, written: str) -> None:
        response = shop.post(new(Customer), customer(written))
        assert "already exists" in response.context["adminform"].form.errors["dni"][0]
        assert Customer.objects.count() == 3

    @pytest.mark.parametrize(
        ("written", "kind", "stored", "as_kind"),
        [
            ("1714307103", "", "1714307103", "CEDULA"),
            ("171430710-3", "", "1714307103", "CEDULA"),
            ("1792060346-001", "", "1792060346001", "RUC"),
            ("1714307103001", "", "1714307103001", "RUC"),
            ("1714307103", "CEDULA", "1714307103", "CEDULA"),
            ("1792060346001", "RUC", "1792060346001", "RUC"),
            ("ab 123-456", "PASSPORT", "AB123456", "PASSPORT"),
            ("12345678901", "PASSPORT", "12345678901", "PASSPORT"),
            ("1714307104", "PASSPORT", "1714307104", "PASSPORT"),
        ],
    )
    def test_it_is_stored_in_its_normal_form_with_its_kind(
        self, shop: Client, written: str, kind: str, stored: str, as_kind: str
    ) -> None:
        response = shop.post(new(Customer), customer(written, kind), follow=True)
        made = Customer.objects.get(full_name="Ana Vera")
        assert (made.dni, made.identity_kind) == (stored, as_kind)
        assert len(told(response)) == 1  # no doubt

    @pytest.mark.parametrize(
        ("written", "kind"),
        [
            *(("abc", ""), ("12", ""), ("12345678901", ""), ("AB123456", ""), ("x" * 13, ""), ("", "")),
            *(("1714307104", "CEDULA"), ("0000000000", "CEDULA"), ("1714307103001", "CEDULA")),
            *(("1714307103", "RUC"), ("9999999999999", "RUC"), ("1792060346000", "RUC")),
            *(
                ("ABCDEF", "PASSPORT"),
                ("A1", "PASSPORT"),
                ("ñandú1", "PASSPORT"),
                ("A" * 13 + "1", "PASSPORT"),
            ),
            *(("1714307103", "LICENCIA"), ("17143/07103", "")),
        ],
    )
    def test_what_is_none_is_refused(self, shop: Client, written: str, kind: str) -> None:
        response = shop.post(new(Customer), customer(written, kind))
        errors = response.context["adminform"].form.errors
        assert errors.keys() & {"dni", "identity_kind"}
        assert Customer.objects.count() == 3

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            (
                "1714307104",
                "This is not a cédula: its check digit or its province is wrong. It was saved as not",
            ),
            (
                "0000000000",
                "This is not a cédula: its check digit or its province is wrong. It was saved as not",
            ),
            (
                "9999999999999",
                "This is not a RUC: it has 13 digits, begins with a province, and does not end in",
            ),
            ("1793216549001", "The check digit of the RUC is wrong. The SRI has assigned such numbers"),
        ],
    )
    def test_what_is_doubtful_is_said(self, shop: Client, written: str, said: str) -> None:
        response = shop.post(new(Customer), customer(written), follow=True)
        assert any(message.startswith(said) for message in told(response))
        made = Customer.objects.get(full_name="Ana Vera")
        assert made.identity_kind == ("RUC" if "The check digit" in said else "")

    @pytest.mark.parametrize("written", ["0929668846001", "092966884-6001", "0929668846002"])
    def test_a_person_with_a_cedula_and_a_ruc_is_pointed_out(self, shop: Client, written: str) -> None:
        response = shop.post(new(Customer), customer(written), follow=True)
        said = "Jesus Jacome (0929668846) has the same cédula in its identity. Is it the same person?"
        assert said in told(response)

    def test_an_older_customer_can_be_edited_without_judging_it(self, shop: Client) -> None:
        Customer.objects.filter(dni="0934567893").update(dni="x")
        odd = Customer.objects.get(dni="x")
        response = shop.post(url(odd), {**as_shown(shop, url(odd)), "email": "a@b.example"})
        assert response.status_code == 302
        odd.refresh_from_db()
        assert (odd.dni, odd.identity_kind, odd.email) == ("X", "", "a@b.example")


class TestMigration:
    def fill(self) -> None:
        migration = import_module("customers.migrations.0010_identities_and_numbers")
        migration.fill(apps, SimpleNamespace(connection=connection))

    def test_numbers_and_identities_get_their_normal_form_unless_it_is_taken(self) -> None:
        holder = Customer.objects.get(dni="0929668846")
        for number in ("+59396111222", "961112233", "00593969786985", "55555"):
            Line.objects.create(customer=holder, phone_number=number, product_type="MOVIL")
        for dni in ("171430710-3", "092966884-6", "ab123", "1792060346001", "1714307104", "señal"):
            Customer.objects.create(dni=dni, full_name=dni)
        for _twice in range(2):
            self.fill()
            numbers = Line.objects.exclude(customer__full_name__in=("Bruno S.", "Carla M."))
            assert set(numbers.values_list("phone_number", flat=True)) == {
                *("096111222", "0961112233", "0969786985", "00593969786985", "55555")
            }
            assert dict(Customer.objects.values_list("dni", "identity_kind")) == {
                "0929668846": "CEDULA",
                "0923456781": "",
                "0934567893": "",
                "1714307103": "CEDULA",
                "092966884-6": "CEDULA",
                "AB123": "",
                "1792060346001": "RUC",
                "1714307104": "",
                "señal": "",
            }
