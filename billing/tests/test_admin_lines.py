"""Every step of a line's life, as staff take it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Discount, Wallet
from billing.sales.services import activate_subscription, buy_pack
from billing.tests.lines import (
    changed_by,
    fund,
    new_line,
    now,
    pack,
    plan,
    running_line,
    running_prepaid_line,
)
from customers.models import (
    Customer,
    HolderChange,
    Line,
    LineEvent,
    LineStatus,
    PlanChange,
    SoldPack,
    Subscription,
    Suspension,
)
from telcox.testing.office import as_shown, new, preview_of_new, rows, somebody_of, superuser, take, told, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def shop() -> Client:
    return somebody_of("Atención al cliente")


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.fixture
def line() -> Line:
    return running_line()


@pytest.fixture
def prepaid_line() -> Line:
    return running_prepaid_line()


def steps(client: Client, line: Line) -> list[str]:
    return [step.name for step in client.get(url(line)).context["steps"]]


def links(client: Client, line: Line) -> dict[str, str]:
    return {str(label): address for label, address in client.get(url(line)).context["links"]}


# --- What is edited, and what is not ---


def test_what_comes_of_steps_is_not_edited(shop: Client, line: Line) -> None:
    version = line.version
    given = {
        **as_shown(shop, url(line)),
        "auto_renew": "",
        "status": "TERMINATED",
        "version": "99",
        "ends_with_period": "on",
        "prepaid": "on",
        "product_type": "FIJO",
    }
    assert shop.post(url(line), given).status_code == 302
    now(line)
    assert (line.status, line.version, line.ends_with_period) == ("ACTIVE", version, False)
    assert (line.prepaid, line.product_type, line.auto_renew) == (False, "MOVIL", False)


def test_how_a_line_pays_is_settled_while_no_period_runs(shop: Client) -> None:
    line = new_line("0977777777")
    form = shop.get(url(line)).context["adminform"].form
    assert not form.fields["prepaid"].disabled
    shop.post(url(line), {**as_shown(shop, url(line)), "prepaid": "on"})
    assert now(line).prepaid
    fund(line, "50")
    activate_subscription(line=line, plan=plan("prepago-8"), at=timezone.now())
    form = shop.get(url(line)).context["adminform"].form
    assert form.fields["prepaid"].disabled
    assert "no period in progress" in str(form.fields["prepaid"].help_text)


def test_the_customers_page_does_not_set_a_lines_status(shop: Client, line: Line) -> None:
    customer = line.customer
    formset = shop.get(url(customer)).context["inline_admin_formsets"][0].formset
    given = as_shown(shop, url(customer))
    index = next(i for i, form in enumerate(formset.forms) if form.instance == line)
    given |= {f"lines-{index}-status": "TERMINATED", f"lines-{index}-prepaid": "on"}
    del given[f"lines-{index}-auto_renew"]
    assert shop.post(url(customer), given).status_code == 302
    now(line)
    assert (line.status, line.prepaid, line.auto_renew) == ("ACTIVE", False, False)


def test_saving_a_page_does_not_undo_a_step_taken_meanwhile(shop: Client, line: Line, monkeypatch) -> None:
    from billing.admin.lines import LineAdmin

    save = LineAdmin.save_model

    def suspended_just_before(self, request, obj, form, change) -> None:
        Line.objects.filter(pk=obj.pk).update(status="SUSPENDED", version=40)
        save(self, request, obj, form, change)

    monkeypatch.setattr(LineAdmin, "save_model", suspended_just_before)
    shop.post(url(line), {**as_shown(shop, url(line)), "auto_renew": ""})
    now(line)
    assert (line.status, line.version, line.auto_renew) == ("SUSPENDED", 40, False)


# --- Steps ---


def test_suspend_and_resume(shop: Client, line: Line) -> None:
    assert "resume" not in steps(shop, line)
    response = shop.post(links(shop, line)["Suspend"].split("?")[0], {"line": line.pk, "reason": "CUSTOMER"})
    assert response.status_code == 302
    assert now(line).status == LineStatus.SUSPENDED
    assert line.suspensions.get().reason == "CUSTOMER"
    found = shop.get(rows(Suspension), {"open": "yes", "reason__exact": "CUSTOMER"}).context["cl"]
    assert list(found.queryset) == [line.suspensions.get()]

    response = take(shop, line, "resume")
    assert told(response) == ["Back in service: 0955555555"]
    assert now(line).status == LineStatus.ACTIVE
    assert not shop.get(rows(Suspension), {"open": "yes"}).context["cl"].queryset.exists()
    by = list(line.events.values_list("step", "by"))
    assert by[:2] == [("RESUME", "Atención al cliente"), ("SUSPEND", "Atención al cliente")]


def test_ending_with_its_period_and_at_once(shop: Client, line: Line) -> None:
    page = shop.get(url(line))
    assert [str(step.confirm) != "" for step in page.context["steps"]] == [True, True]
    assert told(take(shop, line, "schedule_end")) == ["Will end with the period: 0955555555"]
    assert now(line).ends_with_period
    assert steps(shop, line) == ["cancel_end", "terminate"]
    assert told(take(shop, line, "cancel_end")) == ["Stays in service: 0955555555"]
    assert not now(line).ends_with_period
    assert told(take(shop, line, "terminate"))[-1:] == ["Terminated: 0955555555"]
    assert now(line).status == LineStatus.TERMINATED
    assert steps(shop, line) == []
    assert list(links(shop, line)) == ["All subscriptions"]
    assert told(take(shop, line, "terminate")) == ["The line is terminated"]


def test_a_change_for_later_is_planned_and_called_off(shop: Client, line: Line) -> None:
    given = {"line": line.pk, "plan": plan("movil-30").pk, "at_period_end": "end"}
    assert shop.post(new(PlanChange), given).status_code == 302
    change = line.plan_changes.pending().get()
    assert (change.plan, change.at_period_end, change.done_at) == (plan("movil-30"), True, None)
    assert list(shop.get(rows(PlanChange), {"pending": "yes"}).context["cl"].queryset) == [change]
    assert "cancel_plan_change" in steps(shop, line)
    assert told(take(shop, line, "cancel_plan_change")) == ["Plan change cancelled: 0955555555"]
    assert not line.plan_changes.pending().exists()
    assert "cancel_plan_change" not in steps(shop, line)


def test_a_change_at_once_begins_a_period_of_the_new_plan(shop: Client, line: Line) -> None:
    shop.post(new(PlanChange), {"line": line.pk, "plan": plan("movil-30").pk, "at_period_end": "now"})
    first, second = line.subscriptions.order_by("sequence")
    assert second.plan == plan("movil-30")
    assert first.expiration_at == second.start_at
    assert LineEvent.objects.filter(line=line, step="CHANGE_PLAN", by="Atención al cliente").exists()
    assert shop.post(new(PlanChange), {"line": line.pk, "plan": 1}).status_code == 200  # when is not said


def test_a_pack_is_bought_once_however_often_the_button_is_pressed(shop: Client, line: Line) -> None:
    page = links(shop, line)["Buy a pack"]
    reference = shop.get(page).context["adminform"].form["reference"].value()
    assert len(reference) == 36
    assert shop.get(page).context["adminform"].form["reference"].value() != reference
    given = {"line": line.pk, "pack": pack().pk, "reference": reference}
    assert shop.post(page, given).status_code == 302
    assert shop.post(page, given).status_code == 302
    sold = SoldPack.objects.get()
    assert (sold.reference, sold.subscription.line, sold.price) == (reference, line, Decimal("1.20"))
    other = {**given, "pack": pack("extra-5").pk}
    refused = shop.post(page, other, follow=True)
    assert told(refused)[-1:] == [
        "The reference was already used for another purchase: choose a different one"
    ]
    assert refused.context["adminform"].form["reference"].value() == reference


def test_a_plan_is_sold_from_the_lines_page_by_whoever_sold_it(shop: Client) -> None:
    line = new_line("0977777777")
    page = links(shop, line)["Sell a plan"]
    shop.post(page, {"line": line.pk, "plan": plan("pospago-20").pk, "seen": f"{line.pk}-0"})
    assert line.events.get().by == "Atención al cliente"
    assert "Sell a plan" not in links(shop, line)


def test_a_discount_for_the_customer_is_a_link_for_those_who_may(
    shop: Client, boss: Client, line: Line
) -> None:
    assert "Discount for the customer" not in links(shop, line)
    form = boss.get(links(boss, line)["Discount for the customer"]).context["adminform"].form
    assert form["customer"].value() == str(line.customer_id)
    given = {"name": "x", "percent": "5", "amount": "0", "customer": line.customer_id}
    boss.post(new(Discount), {**given, "valid_from": "2026-01-01"})
    assert Discount.objects.get().customer == line.customer


def test_steps_are_for_those_who_may(line: Line) -> None:
    billing, nobody = somebody_of("Facturación"), somebody_of("Catálogo")
    assert steps(billing, line) == []
    assert list(links(billing, line)) == ["All subscriptions", "Suspend", "Discount for the customer"]
    given = {"line": line.pk, "plan": plan("movil-30").pk, "at_period_end": "now"}

    def try_all() -> None:
        for client in (billing, nobody):
            for step in ("terminate", "schedule_end", "cancel_plan_change"):
                assert take(client, line, step).status_code == 403
            for model in (PlanChange, SoldPack):
                assert client.post(new(model), given).status_code == 403
                assert client.post(preview_of_new(model), given).status_code == 403
        assert nobody.get(url(line)).status_code == 403

    assert not changed_by(try_all)


def test_no_line_is_ended_by_choosing_it_in_the_list(boss: Client, line: Line) -> None:
    chosen = {"_selected_action": [line.pk]}
    for step in ("terminate", "schedule_end"):
        boss.post(rows(Line), {"action": step, **chosen})
    assert (now(line).status, line.ends_with_period) == ("ACTIVE", False)
    take(boss, line, "schedule_end")
    boss.post(new(Suspension), {"line": line.pk, "reason": "OPERATOR"})
    assert told(boss.post(rows(Line), {"action": "resume", **chosen}))[-1:] == ["Resume: 1 done."]


# --- Two who act on one state ---


def test_the_second_of_two_is_told_above_the_form(shop: Client, boss: Client, line: Line) -> None:
    page = links(shop, line)["Change plan"]
    form = shop.get(page).context["adminform"].form
    assert form["seen"].value() == f"{line.pk}-{line.version}"
    take(boss, line, "schedule_end")
    take(boss, line, "cancel_end")
    given = {"line": line.pk, "plan": plan("movil-30").pk, "at_period_end": "end"}
    refused = shop.post(page, {**given, "seen": form["seen"].value()}, follow=True)
    assert told(refused) == ["The line was changed in the meantime: reload it and try again"]
    assert not line.plan_changes.exists()

    again = refused.context["adminform"].form
    assert (again["plan"].value(), again["at_period_end"].value()) == (str(given["plan"]), "end")
    assert again["seen"].value() == f"{line.pk}-{now(line).version}"
    assert shop.post(new(PlanChange), {**given, "seen": again["seen"].value()}).status_code == 302
    assert line.plan_changes.pending().exists()


def test_a_buttons_page_was_of_a_version_too(shop: Client, line: Line) -> None:
    seen = shop.get(url(line)).context["seen"]
    take(shop, line, "schedule_end", seen=seen)
    refused = take(shop, line, "terminate", seen=seen)
    assert told(refused)[-1:] == ["The line was changed in the meantime: reload it and try again"]
    assert now(line).status == LineStatus.ACTIVE
    take(shop, line, "terminate", seen=shop.get(url(line)).context["seen"])
    assert now(line).status == LineStatus.TERMINATED


@pytest.mark.parametrize("seen", ["", "x", "-", "1-", "-1", "1-x", "99-0", "1-²", "4-" + "9" * 5000])
def test_what_was_seen_of_another_line_or_of_none_tells_nothing(shop: Client, line: Line, seen: str) -> None:
    response = shop.post(new(Suspension), {"line": line.pk, "reason": "CUSTOMER", "seen": seen})
    assert response.status_code == 302
    assert now(line).status == LineStatus.SUSPENDED


# --- Pages ---


def test_a_lines_page_has_its_history_newest_first(shop: Client, line: Line) -> None:
    buy_pack(line=line, pack=pack(), reference="r", at=timezone.now(), by="ana")
    page = shop.get(url(line)).content.decode()
    history = page[page.index('id="events-group"') :]
    assert history.index("Pack bought") < history.index("Plan sold")
    assert "ana" in history
    event = LineEvent.objects.all()[0]
    assert shop.get(rows(LineEvent), {"step__exact": "BUY_PACK"}).context["cl"].result_count == 1
    assert shop.post(url(event), {"by": "x"}).status_code == 403
    assert shop.get(new(LineEvent)).status_code == 403


def test_the_history_speaks_the_readers_language_whoever_wrote_it(shop: Client, line: Line) -> None:
    shop.post(new(Suspension), {"line": line.pk, "reason": "CUSTOMER"})
    for page in (url(line), rows(LineEvent), url(LineEvent.objects.all()[0])):
        assert "At the customer&#x27;s request" in shop.get(page).content.decode()
        assert "A petición del cliente" in shop.get(page, headers={"accept-language": "es"}).content.decode()


def test_a_subscriptions_page_shows_all_it_was_sold_with_and_its_bill(shop: Client, line: Line) -> None:
    buy_pack(line=line, pack=pack(), reference="r", at=timezone.now(), by="ana")
    page = shop.get(url(line.subscriptions.get())).content.decode()
    for shown in ("Full period from", "Carried over", "1 GB más", "Rollover", "<td>18.40</td>", "19.78"):
        assert shown in page, shown


def test_prepaid_lines_that_were_not_renewed_are_found(shop: Client, line: Line, prepaid_line: Line) -> None:
    def found() -> list[Line]:
        return list(shop.get(rows(Line), {"renewal": "lapsed"}).context["cl"].queryset)

    assert found() == []
    Subscription.objects.filter(line__in=[line, prepaid_line]).update(
        expiration_at=timezone.now() - timedelta(days=1)
    )
    assert found() == [prepaid_line]


@pytest.mark.parametrize("model", [PlanChange, SoldPack, Suspension, Subscription])
def test_forms_open_for_a_line_with_its_version_and_for_none(
    shop: Client, line: Line, model: type, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(15):
        form = shop.get(f"{new(model)}?line={line.pk}").context["adminform"].form
    assert form["seen"].value() == f"{line.pk}-{line.version}"
    for odd in ("", "?line=x", "?line=0", "?line=" + "9" * 30, "?line=%00"):
        assert not shop.get(new(model) + odd).context["adminform"].form["seen"].value()


# --- Another holder ---


def test_the_holder_and_the_number_are_not_edited(shop: Client, line: Line) -> None:
    other = Customer.objects.exclude(pk=line.customer_id)[0]
    given = {**as_shown(shop, url(line)), "customer": other.pk, "phone_number": "0977777778"}
    assert shop.post(url(line), given).status_code == 302
    customer = line.customer
    formset = shop.get(url(customer)).context["inline_admin_formsets"][0].formset
    index = next(i for i, form in enumerate(formset.forms) if form.instance == line)
    of_customer = {**as_shown(shop, url(customer)), f"lines-{index}-phone_number": "0977777778"}
    assert shop.post(url(customer), of_customer).status_code == 302
    stored = Line.objects.get(pk=line.pk)
    assert (stored.customer, stored.phone_number) == (customer, line.phone_number)


def test_the_holder_is_changed_on_a_form_with_a_preview(shop: Client, line: Line) -> None:
    other = Customer.objects.exclude(pk=line.customer_id)[0]
    form = links(shop, line)["Change holder"]
    given = {**as_shown(shop, form), "customer": other.pk, "why": "Cesión"}
    shown = shop.post(preview_of_new(HolderChange), given).content.decode()
    assert shown.count("Móvil") >= 2
    assert now(line).customer != other
    refused = shop.post(new(HolderChange), {**given, "why": ""})
    assert refused.context["adminform"].form.errors.keys() == {"why", "agreed"}
    given["agreed"] = "on"
    told_of_it = told(shop.post(form, given, follow=True))
    assert len(told_of_it) == 1
    assert now(line).customer == other
    assert "Cesión" in shop.get(url(line)).content.decode()


def test_money_on_the_wallet_is_asked_about(shop: Client, line: Line) -> None:
    fund(line, "12.50")
    other = Customer.objects.exclude(pk=line.customer_id)[0]
    form = links(shop, line)["Change holder"]
    given = {**as_shown(shop, form), "customer": other.pk, "why": "Cesión", "agreed": "on"}
    [refused] = told(shop.post(form, given, follow=True))
    assert "12.50 dollars of the present holder" in refused
    assert now(line).customer != other
    shop.post(form, {**given, "with_balance": "on"})
    assert HolderChange.objects.get().balance == Decimal("12.50")


def test_who_only_looks_changes_no_holder(line: Line) -> None:
    billing = somebody_of("Facturación")
    assert "Change holder" not in links(billing, line)
    assert billing.post(new(HolderChange), {"line": line.pk}).status_code == 403


def test_a_limit_that_is_agreed_counts_for_the_running_period(line: Line) -> None:
    boss = superuser()
    fund(line, "1.00")
    wallet = Wallet.objects.get(line=line)
    boss.post(url(wallet), {**as_shown(boss, url(wallet)), "balance_limit_usd": "7,50"})
    wallet.refresh_from_db()
    assert wallet.balance_limit_usd == Decimal("7.50")
    assert Subscription.objects.get(line=line).spend_limit == Decimal("7.50")
