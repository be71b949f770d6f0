"""Nothing that cannot be undone is done without a question, for one row or for many."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from billing.invoicing.drafting import discard_draft, draft_invoice
from billing.models import Invoice, ParkedBill, ParkReason
from customers.models import Line, Subscription
from telcox.common.office.admin import OfficeAdmin, Step
from telcox.testing.builders import NOW
from telcox.testing.office import rows, superuser, take, told, url

OURS = ("customers", "usage", "billing")
ADMINS = [each for model, each in admin.site._registry.items() if model._meta.app_label in OURS]
STEPS = [
    pytest.param(step, id=f"{each.opts.label}-{step.name}")
    for each in ADMINS
    if isinstance(each, OfficeAdmin)
    for step in each.steps
]


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.mark.once
@pytest.mark.parametrize("step", STEPS)
def test_a_step_asks_or_says_why_it_need_not(step: Step) -> None:
    assert bool(step.confirm) != bool(step.unasked)


@pytest.mark.once
@pytest.mark.parametrize(
    "name", ["issue", "discard", "approve", "bill", "terminate", "schedule_end", "start", "send_again"]
)
def test_these_ask(name: str) -> None:
    found = [step for each in ADMINS for step in getattr(each, "steps", ()) if step.name == name]
    assert found
    assert all(step.confirm for step in found)


@pytest.mark.once
@pytest.mark.parametrize("model_admin", ADMINS, ids=lambda each: each.opts.label)
def test_every_action_on_a_list_is_a_step_or_django_asks(model_admin: Any) -> None:
    assert not model_admin.actions


@pytest.fixture
def drafts(seeded: None, clock_at_now: None) -> list[Invoice]:
    """Three."""
    periods = Subscription.objects.filter(unbilled=True).order_by("pk")[:3]
    return [draft_invoice(subscription=period, at=NOW) for period in periods]


def chosen(action: str, of: list[Any], **other: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [each.pk for each in of], "index": "0", **other}


def sent_again(page: Any) -> dict[str, Any]:
    """What the page's form sends."""
    given: dict[str, Any] = {}
    for name, value in page.context["kept"]:
        given.setdefault(name, []).append(value)
    return given


@pytest.mark.django_db
class TestMany:
    def test_issuing_asks_first_and_lists_what_it_is_about(self, boss: Client, drafts: list[Invoice]) -> None:
        page = boss.post(rows(Invoice), chosen("issue", drafts[:2]))
        assert page.status_code == 200
        assert "Issue this invoice?" in page.content.decode()
        assert list(page.context["rows"]) == drafts[:2]
        assert Invoice.objects.drafts().count() == 3
        done = boss.post(rows(Invoice), sent_again(page))
        assert told(done) == ["Issue: 2 done."]
        assert list(Invoice.objects.drafts()) == drafts[2:]

    def test_discarding_too(self, boss: Client, drafts: list[Invoice]) -> None:
        page = boss.post(rows(Invoice), chosen("discard", drafts))
        assert Invoice.objects.drafts().count() == 3
        boss.post(rows(Invoice), sent_again(page))
        assert not Invoice.objects.drafts().exists()

    def test_the_same_for_all_rows_of_the_list(self, boss: Client, drafts: list[Invoice]) -> None:
        listed = f"{rows(Invoice)}?status__exact=DRAFT"
        page = boss.post(listed, chosen("issue", drafts[:1], select_across="1"))
        assert page.context["count"] == 3
        boss.post(listed, sent_again(page))
        assert not Invoice.objects.drafts().exists()

    def test_if_there_are_more_of_them_than_were_seen_it_asks_again(
        self, boss: Client, drafts: list[Invoice]
    ) -> None:
        listed = f"{rows(Invoice)}?status__exact=DRAFT"
        given = chosen("issue", drafts[:1], select_across="1", confirmed="2")
        assert boss.post(listed, given).context["count"] == 3
        assert Invoice.objects.drafts().count() == 3

    def test_if_they_are_others_than_were_seen_it_asks_again(
        self, boss: Client, drafts: list[Invoice]
    ) -> None:
        """As many as before, but one that the clerk has not seen is among them."""
        listed = f"{rows(Invoice)}?status__exact=DRAFT"
        unseen = drafts[2].subscription
        assert unseen
        discard_draft(invoice=drafts[2])
        page = boss.post(listed, chosen("issue", drafts[:1], select_across="1"))
        assert page.context["count"] == 2
        discard_draft(invoice=drafts[1])
        draft = draft_invoice(subscription=Subscription.objects.get(pk=unseen.pk), at=NOW)
        again = boss.post(listed, sent_again(page))
        assert list(again.context["rows"]) == [drafts[0], draft]
        assert Invoice.objects.drafts().count() == 2
        boss.post(listed, sent_again(again))
        assert not Invoice.objects.drafts().exists()

    @pytest.mark.parametrize("action", ["approve", "bill"])
    def test_billing_what_was_quarantined_asks(self, boss: Client, seeded: None, action: str) -> None:
        period = Subscription.objects.filter(unbilled=True).first()
        parked = ParkedBill.objects.create(subscription=period, reason=ParkReason.SUSPICIOUS, parked_at=NOW)
        page = boss.post(rows(ParkedBill), chosen(action, [parked]))
        assert page.context["count"] == 1
        assert not Invoice.objects.filter(subscription=period).exists()

    def test_what_can_be_undone_does_not_ask(self, boss: Client, seeded: None) -> None:
        period = Subscription.objects.get(line__phone_number="0969786985")
        done = boss.post(rows(Subscription), chosen("draft_invoice", [period]))
        assert told(done) == ["Draft invoice: 1 done."]

    def test_the_button_on_the_page_asks_as_before(self, boss: Client, drafts: list[Invoice]) -> None:
        page = boss.get(url(drafts[0])).content.decode()
        assert page.count("return confirm(this.dataset.confirm)") == 2
        assert page.count('name="asked" value="0"') == 2

    def test_where_no_script_runs_a_page_asks(self, boss: Client, drafts: list[Invoice]) -> None:
        page = take(boss, drafts[0], "issue", asked="0")
        assert list(page.context["rows"]) == drafts[:1]
        assert Invoice.objects.drafts().count() == 3
        take(boss, drafts[0], "issue", **dict(page.context["kept"]))
        assert Invoice.objects.drafts().count() == 2

    def test_what_was_seen_is_what_is_done(self, boss: Client, seeded: None) -> None:
        line = Line.objects.get(phone_number="0969786985")
        page = take(boss, line, "terminate", asked="0", seen=f"{line.pk}-{line.version}")
        Line.objects.update(version=line.version + 1)
        refused = take(boss, line, "terminate", **dict(page.context["kept"]))
        assert told(refused) == ["The line was changed in the meantime: reload it and try again"]
