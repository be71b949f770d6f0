"""A period that was sold on wrong terms is put right: revised, with a reason, and billed again."""

from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.test import Client

from billing.daily import run_day
from billing.invoicing.drafting import draft_invoice
from billing.models import Discount, Invoice, InvoiceSeries, Wallet
from billing.rating.facts import price_periods
from billing.rating.kept import kept_inputs
from billing.sales.revising import revise_terms
from billing.sales.services import activate_subscription, buy_pack, change_plan, terminate_line
from billing.settling.crediting import credit_invoice
from billing.tests.builders import MakePlan, balance, fresh, moment, periods, refusal, use
from billing.verification import find_faults
from billing.wallets import adjust_wallet
from customers.catalogue import revise_plan
from customers.models import Line, LineEvent, LineStep, Pack, Plan, Subscription, TermsRevision
from telcox.common.database.retrying import retry_lost_locks
from telcox.testing.office import new, preview_of_new, somebody_of, url
from telcox.testing.threads import in_threads

D = Decimal
GB = 2**30
AT = moment("2026-12-02 09:00")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("opened")]


@pytest.fixture(autouse=True)
def alone(line: Line) -> None:
    Line.objects.exclude(pk=line.pk).update(auto_renew=False)
    InvoiceSeries.objects.get_or_create(prefix="001-002")


@pytest.fixture
def dear(make_plan: MakePlan) -> Plan:
    """220.00 was typed, and 22.00 meant."""
    return make_plan("caro", price="220.00", validity_days=0, data_bytes=20 * GB, overage_price_per_gb="1.2")


def sold(line: Line, plan: str = "caro", at: str = "2026-11-01") -> Subscription:
    return activate_subscription(line=fresh(line), plan=Plan.objects.get(code=plan), at=moment(at))


def billed(line: Line, plan: str = "caro") -> Invoice:
    sold(line, plan)
    run_day(at=moment("2026-12-01 00:05"))
    return bills(line)[0]


def bills(line: Line) -> list[Invoice]:
    return list(Invoice.objects.bills().filter(subscription__line=line).order_by("pk"))


def revised(period: Subscription, why: str = "Typed wrong", at: Any = AT, **given: Any) -> TermsRevision:
    others = {name: given.pop(name) for name in ("pack_prices", "discounts_as_entered") if name in given}
    period = Subscription.objects.get(pk=period.pk)
    return revise_terms(subscription=period, why=why, terms=given, at=at, by="ana", **others)


def billed_again(line: Line, at: str = "2026-12-02 11:00") -> Invoice:
    credit_invoice(invoice=bills(line)[0], why="Wrong price", at=moment("2026-12-02 10:00"), bill_again=True)
    run_day(at=moment(at))
    return bills(line)[-1]


def totals(*invoices: Invoice) -> list[Decimal]:
    return [Invoice.objects.get(pk=invoice.pk).total for invoice in invoices]


@pytest.mark.usefixtures("dear")
class TestAPriceThatWasTypedWrong:
    def test_it_is_revised_credited_and_billed_again_right(self, line: Line) -> None:
        wrong = billed(line)
        assert wrong.total == D("253.00")
        revision = revised(periods(line)[0], price=D("22.00"))
        assert list(find_faults()) == []  # the invoice in force keeps what it was calculated from
        right = billed_again(line)
        assert totals(wrong, right) == [D("253.00"), D("25.30")]
        assert kept_inputs(wrong).terms.price == D("220.00")
        assert (revision.before["terms"]["price"], revision.after["terms"]["price"]) == ("220.00", "22.00")
        assert (revision.invoice, revision.by, revision.why) == (wrong.full_number, "ana", "Typed wrong")
        assert list(find_faults()) == []

    def test_editing_the_plan_alone_changes_no_period_that_was_sold(self, line: Line, dear: Plan) -> None:
        """Else a later rise in price would come with whatever is billed again."""
        billed(line)
        dear.price = D("22.00")
        revise_plan(plan=dear, at=AT, by="ana")
        assert billed_again(line).total == D("253.00")

    def test_a_period_that_waits_for_its_bill_is_billed_on_the_new_terms(self, line: Line) -> None:
        revised(sold(line), price=D("22.00"), at=moment("2026-11-10"))
        run_day(at=moment("2026-12-01 00:05"))
        assert totals(*bills(line)) == [D("25.30")]
        assert list(find_faults()) == []

    def test_revised_twice_the_invoice_is_proved_by_the_terms_it_was_issued_on(self, line: Line) -> None:
        billed(line)
        revised(periods(line)[0], price=D("23.00"))
        revised(periods(line)[0], price=D("22.00"), at=moment("2026-12-02 09:30"))
        assert list(find_faults()) == []
        assert billed_again(line).total == D("25.30")
        assert list(find_faults()) == []

    def test_an_invoice_of_other_terms_is_still_found(self, line: Line) -> None:
        billed(line)
        revised(periods(line)[0], price=D("22.00"))
        TermsRevision.objects.update(invoice="")
        assert [fault.what for fault in find_faults()] == ["its invoice was calculated from other terms"]

    def test_late_usage_of_the_invoice_in_force_is_charged_on_its_terms(self, line: Line) -> None:
        billed(line)
        revised(periods(line)[0], price=D("22.00"))
        run_day(at=moment("2027-01-01 00:05"))
        assert list(find_faults()) == []

    def test_it_stands_in_the_line_s_history_with_the_reason(self, line: Line) -> None:
        revised(sold(line), price=D("22.00"), at=moment("2026-11-10"))
        event = LineEvent.objects.get(line=line, step=LineStep.REVISE_TERMS)
        assert (event.by, event.detail, event.subscription_id) == ("ana", "Typed wrong", periods(line)[0].pk)

    def test_the_last_bill_of_a_line_that_has_ended_is_put_right_too(self, line: Line) -> None:
        sold(line)
        terminate_line(line=fresh(line), at=moment("2026-11-15 12:00"))
        run_day(at=moment("2026-11-15 12:05"))
        revised(periods(line)[0], price=D("22.00"))
        assert billed_again(line).subtotal == D("10.27")
        assert list(find_faults()) == []


@pytest.mark.usefixtures("dear")
class TestWhatElseWasWrong:
    @pytest.mark.parametrize(
        ("terms", "amount"),
        [
            ({"overage_price_per_gb": D("0.12")}, "221.20"),
            ({"data_stops": True}, "220.00"),
            ({"data_bytes": 30 * GB}, "220.00"),
            ({"zero_rated_social": True}, "220.00"),
            ({"plan_name": "Barato", "price": D("22.00")}, "34.00"),
            ({"overage_per_started_gb": True, "overage_price_per_gb": D("2")}, "240.00"),
        ],
    )
    def test_any_term_is_revised(self, line: Line, terms: dict[str, Any], amount: str) -> None:
        sold(line)
        use(line, 30, moment("2026-11-10"))
        run_day(at=moment("2026-12-01 00:05"))
        assert bills(line)[0].subtotal == D("232.00")
        revised(periods(line)[0], **terms)
        assert list(find_faults()) == []
        again = billed_again(line)
        assert again.subtotal == D(amount)
        assert terms.get("plan_name", "Caro") in again.lines.get(position=1).description
        assert list(find_faults()) == []

    def test_a_discount_that_was_entered_wrong(self, line: Line) -> None:
        discount = Discount.objects.create(
            name="d", percent=D("1"), customer=line.customer, valid_from=date(2026, 1, 1)
        )
        billed(line)
        discount.percent = D("10")
        discount.save()
        revised(periods(line)[0], discounts_as_entered=True)
        assert list(find_faults()) == []
        assert billed_again(line).discount == D("22.00")
        assert list(find_faults()) == []

    def test_a_pack_s_price(self, line: Line) -> None:
        sold(line)
        sale = buy_pack(
            line=fresh(line), pack=Pack.objects.get(code="extra-5"), reference="P", at=moment("2026-11-02")
        )
        run_day(at=moment("2026-12-01 00:05"))
        assert sale.pack
        revised(periods(line)[0], pack_prices={sale.pack.pk: D("1.00")})
        assert list(find_faults()) == []
        assert billed_again(line).lines.get(unit="PACK").amount == D("1.00")
        assert list(find_faults()) == []


class TestPrepaid:
    @pytest.fixture
    def running(self, prepaid: Line, dear: Plan) -> Subscription:
        Wallet.objects.get_or_create(line=prepaid)
        adjust_wallet(line=prepaid, amount=D("253.00"), reference="g", at=moment("2026-10-01"))
        period = sold(prepaid)
        assert balance(prepaid) == D("0.00")
        return period

    def test_what_was_paid_too_much_goes_back_at_once(self, running: Subscription, prepaid: Line) -> None:
        revised(running, price=D("22.00"), at=moment("2026-11-02"))
        assert balance(prepaid) == D("227.70")
        assert list(find_faults()) == []

    def test_what_was_paid_too_little_is_refused_if_the_wallet_is_short(
        self, running: Subscription, prepaid: Line
    ) -> None:
        code = refusal(lambda: revised(running, price=D("230.00"), at=moment("2026-11-02")))
        assert code == "insufficient_balance"
        assert periods(prepaid)[0].price == D("220.00")
        assert not TermsRevision.objects.exists()

    def test_after_its_bill_it_is_credited_and_paid_anew(self, running: Subscription, prepaid: Line) -> None:
        Line.objects.filter(pk=prepaid.pk).update(auto_renew=False)
        run_day(at=moment("2026-12-01 00:05"))
        revised(running, price=D("22.00"))
        assert balance(prepaid) == D("0.00")
        assert list(find_faults()) == []
        assert billed_again(prepaid).total == D("25.30")
        assert balance(prepaid) == D("227.70")
        assert list(find_faults()) == []


@pytest.mark.usefixtures("dear")
class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"price": D("220.00")}, "nothing_revised"),
            ({}, "nothing_revised"),
            ({"price": D("-1.00")}, "invalid_terms"),
            ({"price": D("1.005")}, "invalid_terms"),
            ({"price": "dear"}, "invalid_terms"),
            ({"plan_name": ""}, "invalid_terms"),
            ({"rollover_share": D("2")}, "invalid_terms"),
            ({"line": 1}, "unknown_term"),
            ({"unbilled": True}, "unknown_term"),
            ({"pack_prices": {1: D("1.00")}}, "unknown_pack"),
            ({"price": D("22.00"), "why": " "}, "no_reason_given"),
        ],
    )
    def test_what_makes_no_sense_changes_nothing(self, line: Line, given: dict[str, Any], code: str) -> None:
        period = sold(line)
        before = Subscription.objects.filter(pk=period.pk).values().get()
        assert refusal(lambda: revised(period, at=moment("2026-11-02"), **given)) == code
        assert Subscription.objects.filter(pk=period.pk).values().get() == before
        assert not LineEvent.objects.filter(step=LineStep.REVISE_TERMS).exists()

    def test_a_draft_is_discarded_first(self, line: Line) -> None:
        period = sold(line)
        draft_invoice(subscription=period, at=moment("2026-11-10"))
        assert refusal(lambda: revised(period, price=D("22.00"))) == "draft_exists"

    def test_allowances_that_were_handed_on_are_not_revised_and_prices_are(
        self, line: Line, make_plan: MakePlan
    ) -> None:
        make_plan("over", price="220.00", validity_days=0, data_bytes=20 * GB, rollover_share="0.5")
        first = sold(line, "over")
        run_day(at=moment("2026-12-01 00:05"))
        assert refusal(lambda: revised(first, data_bytes=30 * GB)) == "terms_carried_over"
        revised(first, price=D("22.00"))
        assert list(find_faults()) == []

    def test_a_period_that_a_plan_change_cut_keeps_what_it_handed_on(self, line: Line) -> None:
        first = sold(line)
        buy_pack(
            line=fresh(line), pack=Pack.objects.get(code="extra-5"), reference="P", at=moment("2026-11-02")
        )
        change_plan(line=fresh(line), plan=Plan.objects.get(code="movil-15"), at=moment("2026-11-10"))
        revised(first, price=D("22.00"))
        assert list(find_faults()) == []


@pytest.mark.usefixtures("dear")
class TestInTheBackOffice:
    @pytest.fixture
    def office(self, seeded: None) -> Client:
        return somebody_of("Facturación")

    def given(self, office: Client, line: Line, **given: Any) -> dict[str, Any]:
        period = periods(line)[0]
        page = office.get(f"{new(TermsRevision)}?subscription={period.pk}")
        form = page.context["adminform"].form
        shown = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
        shown = {name: value for name, value in shown.items() if value is not None and value is not False}
        return {**shown, "subscription": period.pk, "why": "Typed wrong", **given}

    def test_the_form_has_the_terms_shows_both_prices_and_revises(self, office: Client, line: Line) -> None:
        billed(line)
        given = self.given(office, line, price="22.00")
        shown = office.post(preview_of_new(TermsRevision), given).content.decode()
        assert "253" in shown
        assert "25.30" in shown or "25,30" in shown
        assert not TermsRevision.objects.exists()
        office.post(new(TermsRevision), given)
        revision = TermsRevision.objects.get()
        assert periods(line)[0].price == D("22.00")
        page = office.get(url(revision)).content.decode()
        assert "220.00 → 22.00" in page
        before, after = revision.before["terms"], revision.after["terms"]
        assert {name for name in after if after[name] != before[name]} == {"price"}

    def test_it_is_offered_on_the_page_of_the_period_to_who_may(self, office: Client, line: Line) -> None:
        period = sold(line)
        address = f"{new(TermsRevision)}?subscription={period.pk}"
        assert address in office.get(url(period)).content.decode()
        care = somebody_of("Atención al cliente")
        assert address not in care.get(url(period)).content.decode()
        assert care.post(new(TermsRevision), self.given(office, line, price="22.00")).status_code == 403

    def test_without_a_reason_nothing_is_revised(self, office: Client, line: Line) -> None:
        sold(line)
        office.post(new(TermsRevision), self.given(office, line, price="22.00", why=""))
        assert not TermsRevision.objects.exists()

    def test_a_refusal_keeps_what_was_typed(self, office: Client, line: Line) -> None:
        period = sold(line)
        draft_invoice(subscription=period, at=moment("2026-11-10"))
        answer = office.post(new(TermsRevision), self.given(office, line, price="22.00"), follow=True)
        assert 'value="22.00"' in answer.content.decode()


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_revised_while_it_is_billed_the_bill_is_on_the_one_or_the_other_terms(line: Line, dear: Plan) -> None:
    """The period's row is locked by both; the invoice and the revision agree, whichever came first."""
    period = sold(line)
    Line.objects.filter(pk=line.pk).update(auto_renew=False)
    together = Barrier(2)

    def bill() -> None:
        together.wait()
        run_day(at=moment("2026-12-01 00:05"))

    def revise() -> None:
        together.wait()
        retry_lost_locks(lambda: revised(period, price=D("22.00")))

    in_threads(lambda work: work(), [bill, revise], threads=2)
    [invoice] = bills(line)
    assert invoice.total in (D("253.00"), D("25.30"))
    assert TermsRevision.objects.get().invoice == ("" if invoice.total == D("25.30") else invoice.full_number)
    assert list(find_faults()) == []
    assert price_periods(periods(line)[:1], at=AT)[0].rated.total == D("25.30")
