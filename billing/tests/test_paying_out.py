"""Money that leaves a wallet: what is left of a terminated line, or a post-paid line's credit."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from billing.bank import import_statement
from billing.daily import run_day
from billing.models import BankTransfer, InvoiceSeries, MoneyReference, PaymentMethod, PayOut, Wallet
from billing.sales.services import terminate_line
from billing.settling.paying import reverse_payment
from billing.tests.builders import balance, fresh, moment, refusal, sold
from billing.tests.credit import MONTH, billed, entries, paid_in, set_offs
from billing.verification import find_faults
from billing.wallets import PaidOut, pay_out
from customers.models import Line
from telcox.testing.office import new, somebody_of, told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]
D = Decimal


@pytest.fixture(autouse=True)
def series(opened: None) -> None:
    InvoiceSeries.objects.get_or_create(prefix="001-002")
    Line.objects.exclude(phone_number="0955555555").update(auto_renew=False)


@pytest.fixture(autouse=True)
def books_are_right(opened: None) -> Any:
    """Whatever a test does, the books are right after it."""
    yield
    assert [str(fault) for fault in find_faults()] == []


def paid_out(
    line: Line, amount: str, reference: str = "out", at: str = "2027-01-10 10:00", method: str = "EFECTIVO"
) -> PaidOut:
    return pay_out(
        line=fresh(line),
        amount=D(amount),
        method=PaymentMethod(method),
        reference=reference,
        at=moment(at),
        by="ana",
    )


def ended(line: Line) -> Line:
    """Terminated in November, with 20.00 on its wallet; the last bill is not issued yet."""
    paid_in(line, "20.00", at="2026-11-05 10:00")
    sold(line)
    terminate_line(line=fresh(line), at=moment("2026-11-10 12:00"))
    return fresh(line)


class TestWhatCanBePaidOut:
    def test_a_terminated_line_s_balance_after_its_last_bill(self, line: Line) -> None:
        ended(line)
        assert refusal(lambda: paid_out(line, "1.00")) == "not_billed"
        run_day(at=moment("2026-12-01 00:05"))
        left = balance(line)
        assert 0 < left < 20
        entry, repeated = paid_out(line, str(left))
        assert (entry.kind, entry.amount, entry.balance_after, repeated) == ("PAY_OUT", -left, 0, False)
        assert (entry.description, entry.by) == ("Retiro de saldo, EFECTIVO", "ana")
        assert balance(line) == 0

    def test_a_post_paid_line_s_credit_in_part(self, line: Line) -> None:
        paid_in(line, "30.00")
        paid_out(line, "10.00")
        assert (balance(line), entries(line)[-1]) == (20, ("PAY_OUT", D(-10)))

    def test_a_terminated_prepaid_line_s_balance(self, prepaid: Line) -> None:
        paid_in(prepaid, "30.00")
        assert refusal(lambda: paid_out(prepaid, "10.00")) == "prepaid_in_service"
        terminate_line(line=fresh(prepaid), at=moment("2026-12-05"))
        paid_out(prepaid, "30.00")
        assert balance(prepaid) == 0

    def test_more_than_there_is_is_refused_whatever_limit_was_agreed(self, line: Line) -> None:
        Wallet.objects.create(line=line, balance_limit_usd=30)
        paid_in(line, "10.00")
        assert refusal(lambda: paid_out(line, "10.01")) == "insufficient_balance"
        paid_out(line, "10.00")

    @pytest.mark.parametrize(
        ("amount", "reason"), [("0", "amount_not_positive"), ("-1", "amount_not_positive")]
    )
    def test_an_amount_that_is_none(self, line: Line, amount: str, reason: str) -> None:
        paid_in(line, "10.00")
        assert refusal(lambda: paid_out(line, amount)) == reason

    def test_while_something_is_due_nothing_is_paid_out(self, line: Line) -> None:
        billed(line)
        paid_in(line, "100.00", at="2026-12-02 10:00")
        reverse_payment(payment=set_offs(line)[0], why="x", at=moment("2026-12-02 11:00"))
        assert refusal(lambda: paid_out(line, "1.00", at="2026-12-02 12:00")) == "something_due"
        run_day(at=moment("2026-12-03 00:05"))
        paid_out(line, str(100 - MONTH), at="2026-12-03 10:00")
        assert balance(line) == 0

    def test_a_method_by_which_no_money_moves(self, line: Line) -> None:
        paid_in(line, "10.00")
        assert refusal(lambda: paid_out(line, "1.00", method="SALDO A FAVOR")) == "payment_method"


class TestOneMovementInTheWorld:
    def test_the_same_again_is_paid_out_once(self, line: Line) -> None:
        paid_in(line, "30.00")
        paid_out(line, "10.00")
        assert paid_out(line, "10.00").repeated
        assert (balance(line), PayOut.objects.count()) == (20, 1)

    def test_it_is_answered_the_same_after_something_became_due(self, line: Line) -> None:
        paid_in(line, "10.00", at="2026-11-02 10:00")
        paid_out(line, "10.00", at="2026-11-03 10:00")
        billed(line)
        assert paid_out(line, "10.00", at="2026-12-03 10:00").repeated

    @pytest.mark.parametrize("amount", ["11.00", "9.99"])
    def test_another_amount_under_the_reference_is_refused(self, line: Line, amount: str) -> None:
        paid_in(line, "30.00")
        paid_out(line, "10.00")
        assert refusal(lambda: paid_out(line, amount)) == "reference_used"

    def test_a_transfer_out_has_a_reference_of_its_own(self, line: Line) -> None:
        """However it is spelled, and whichever way the money under it went."""
        paid_in(line, "30.00")
        paid_out(line, "10.00", "TR-77", method="TRANSFERENCIA")
        assert MoneyReference.objects.get(key="TR77").entry == PayOut.objects.get()
        assert refusal(lambda: paid_out(line, "5.00", "tr 77".replace(" ", "."), method="TRANSFERENCIA")) == (
            "reference_used"
        )

    def test_a_transfer_that_came_in_is_no_pay_out(self, line: Line) -> None:
        paid_in(line, "30.00")
        statement(line, "TR-78")
        assert refusal(lambda: paid_out(line, "5.00", "TR78", method="TRANSFERENCIA")) == "reference_used"

    def test_a_transfer_that_comes_in_under_its_reference_waits(self, line: Line) -> None:
        """It is not the pay-out, over the same amount as well."""
        paid_in(line, "30.00")
        paid_out(line, "5.00", "TR-79", method="TRANSFERENCIA")
        statement(line, "TR-79")
        assert BankTransfer.objects.get().problem == "RECORDED"


def statement(line: Line, reference: str) -> None:
    """Import a transfer of 5.00 that names the line."""
    import io

    rows = f"Fecha;Referencia;Valor;Concepto\n02/12/2026;{reference};5.00;pago {line.phone_number}"
    import_statement(file=io.BytesIO(rows.encode()), source="n.csv", at=moment("2026-12-04 10:00"), by="ana")


class TestInTheBackOffice:
    FORM = {"payment_method": "EFECTIVO", "reference": "out-1", "amount": "10,00"}

    @pytest.fixture
    def clerk(self) -> Client:
        return somebody_of("Facturación")

    @pytest.fixture
    def wallet(self, line: Line) -> Wallet:
        paid_in(line, "30.00")
        return Wallet.objects.get(line=line)

    def test_it_asks_and_pays_once_it_is_confirmed(self, clerk: Client, wallet: Wallet) -> None:
        given = {"wallet": wallet.pk, **self.FORM}
        assert clerk.post(new(PayOut), given).status_code == 200  # it is not confirmed
        assert not PayOut.objects.exists()
        shown = clerk.post(new(PayOut), {**given, "left": "on"}, follow=True)
        assert "10.00" in " ".join(told(shown))
        assert (PayOut.objects.get().amount, balance(wallet.line)) == (-10, 20)

    def test_the_preview_says_what_is_left_and_pays_nothing(self, clerk: Client, wallet: Wallet) -> None:
        address = new(PayOut).replace("/add/", "/preview/")
        shown = clerk.post(address, {"wallet": wallet.pk, **self.FORM})
        assert shown.status_code == 200
        assert "20.00" in shown.content.decode()
        assert (PayOut.objects.count(), balance(wallet.line)) == (0, 30)

    def test_a_refusal_is_shown_above_the_form(self, clerk: Client, wallet: Wallet) -> None:
        given = {"wallet": wallet.pk, **self.FORM, "amount": "30,01", "left": "on"}
        shown = clerk.post(new(PayOut), given, follow=True)
        assert told(shown)
        assert balance(wallet.line) == 30

    def test_the_wallet_s_page_leads_there_with_the_balance(self, clerk: Client, wallet: Wallet) -> None:
        from telcox.testing.office import url

        page = clerk.get(url(wallet)).content.decode()
        assert f"{new(PayOut)}?wallet={wallet.pk}" in page
        assert clerk.get(f"{new(PayOut)}?wallet={wallet.pk}&amount=30.00").status_code == 200

    def test_a_clerk_of_the_shop_may_look_and_not_pay_out(self, wallet: Wallet) -> None:
        shop = somebody_of("Atención al cliente")
        assert shop.post(new(PayOut), {"wallet": wallet.pk, **self.FORM, "left": "on"}).status_code == 403
        entry = paid_out(wallet.line, "10.00").entry
        page = new(PayOut).replace("/add/", f"/{entry.pk}/change/")
        assert shop.get(page).status_code == 200


class TestOverRest:
    BODY = {"amount": 10.00, "reference": "out-1", "payment_method": "TRANSFERENCIA"}

    def post(self, line: Line, **more: Any) -> Any:
        address = f"/api/customers/{line.phone_number}/pay-outs"
        return APIClient().post(address, {**self.BODY, **more}, format="json")

    def test_it_pays_out_once(self, line: Line) -> None:
        paid_in(line, "30.00")
        dry = self.post(line, dry_run=True)
        assert (dry.status_code, dry.json()["balance_after"], balance(line)) == (200, 20.0, 30)
        first, again = self.post(line), self.post(line)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert first.json()["kind"] == "PAY_OUT"
        assert balance(line) == 20

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            ({"amount": 30.01}, 409),
            ({"amount": 0}, 422),
            ({"amount": "10"}, 422),
            ({"payment_method": "SALDO A FAVOR"}, 422),
            ({"reference": "a b"}, 422),
            ({"dryrun": True}, 422),
        ],
    )
    def test_what_it_refuses_changes_nothing(self, line: Line, more: dict[str, Any], status: int) -> None:
        paid_in(line, "30.00")
        assert self.post(line, **more).status_code == status
        assert balance(line) == 30

    def test_an_unknown_line(self, line: Line) -> None:
        assert (
            APIClient().post("/api/customers/0999999999/pay-outs", self.BODY, format="json").status_code
            == 404
        )

    def test_customers_do_not_pay_themselves_out(self, line: Line, settings: Any) -> None:
        settings.API_OPEN = False
        paid_in(line, "30.00")
        assert self.post(line).status_code in (401, 403)
        assert balance(line) == 30
