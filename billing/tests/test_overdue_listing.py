"""Who is to be looked after: the list of what is overdue, over REST and in the back-office."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.daily import run_day
from billing.models import Invoice, Notice, NoticeState
from billing.tests.builders import moment
from billing.tests.overdue import bill, days_later, new_line, pay
from customers.models import Subscription
from telcox.testing.office import rows, somebody_of, superuser, take, told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nothing_else_owed")]


@pytest.fixture
def nothing_else_owed(seeded: None) -> None:
    Subscription.objects.update(unbilled=None)


@pytest.fixture
def owed(nothing_else_owed: None) -> list[Invoice]:
    """Ten of 115.00, due on the sixteenth and seventeenth of March."""
    return [bill(new_line(number), at=days_later(number % 2)) for number in range(10)]


def ask(client: Client, **query: Any) -> Any:
    return client.get("/api/invoices/overdue", query)


class TestOverREST:
    def test_who_owes_how_much_for_how_long(
        self, owed: list[Invoice], open_api: None, client: Client
    ) -> None:
        pay(owed[0], days_later(5), "15.00")
        run_day(at=moment("2026-03-26"))
        Notice.objects.filter(channel="SMS").update(state=NoticeState.SENT)
        first = ask(client, on="2026-03-27").json()["items"][0]
        customer = first.pop("customer")
        assert (customer["dni"], customer["full_name"]) == ("0929668846", "Jesus Jacome")
        assert first == {
            "id": owed[0].pk,
            "number": owed[0].full_number,
            "status": "PARTLY_PAID",
            "period": "2026-02",
            "customer_name": "Jesus Jacome",
            "customer_dni": "0929668846",
            "phone_number": "0955100000",
            "total": 115.0,
            "outstanding": 100.0,
            "due_on": "2026-03-16",
            "days_overdue": 11,
            "reminders_sent": 1,
        }

    @pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
    def test_page_by_page_each_once_and_the_oldest_first(
        self, owed: list[Invoice], open_api: None, client: Client, limit: int
    ) -> None:
        pay(owed[3], days_later(5), "1.00")
        pay(owed[4], days_later(5), "115.00")
        seen, query = [], {"on": "2026-12-01", "limit": limit}
        while True:
            page = ask(client, **query).json()
            assert len(page["items"]) <= limit
            seen += [item["id"] for item in page["items"]]
            if not page["next"]:
                break
            query["after"] = page["next"]
        expected = sorted((each for each in owed if each != owed[4]), key=lambda each: (each.due_on, each.pk))
        assert seen == [each.pk for each in expected]

    def test_it_is_of_today_unless_it_is_asked_for_another_day(
        self, owed: list[Invoice], open_api: None, client: Client
    ) -> None:
        assert ask(client, on="2026-03-16").json() == {"on": "2026-03-16", "items": [], "next": None}
        assert len(ask(client, on="2026-03-17").json()["items"]) == 5
        assert len(ask(client).json()["items"]) == 10

    def test_it_takes_as_many_queries_for_one_as_for_all(
        self, owed: list[Invoice], open_api: None, client: Client, django_assert_num_queries: Any
    ) -> None:
        for limit in (1, 100):
            with django_assert_num_queries(3):
                ask(client, on="2026-12-01", limit=limit)

    @pytest.mark.parametrize(
        "query",
        [
            {"on": "tomorrow"},
            {"on": "0001-01-01"},
            {"limit": "0"},
            {"limit": "1001"},
            {"limit": "x"},
            {"after": "5"},
            {"after": "2026-02-30.5"},
            {"after": "2026-03-01.-5"},
            {"after": "2026-03-01." + "9" * 19},
            {"offset": "5"},
        ],
    )
    def test_what_it_does_not_understand_is_refused(
        self, open_api: None, client: Client, query: dict[str, str]
    ) -> None:
        answer = ask(client, **query)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["body", *query]

    def test_it_is_for_staff_who_may_look_at_invoices(self, closed_api: None, client: Client) -> None:
        assert ask(client).status_code == 401
        customer = User.objects.create_user("jesus")
        client.force_login(customer)
        assert ask(client).status_code == 403
        assert ask(somebody_of("Red")).status_code == 403
        assert ask(somebody_of("Facturación")).status_code == 200


class TestInTheBackOffice:
    def test_the_list_says_what_is_owed_and_for_how_long(
        self, owed: list[Invoice], django_assert_max_num_queries: Any
    ) -> None:
        pay(owed[0], days_later(5), "15.00")
        clerk = somebody_of("Facturación")
        with django_assert_max_num_queries(15):
            page = clerk.get(rows(Invoice), {"due": "overdue"})
        text = page.content.decode()
        assert "Days overdue" in text
        assert text.count("115.00</td>") == 10 + 9  # totals, and what is owed
        assert "100.00</td>" in text
        assert "Days overdue" not in clerk.get(rows(Invoice)).content.decode()

    def test_staff_remind_by_hand_once_a_day(self, owed: list[Invoice]) -> None:
        clerk = somebody_of("Facturación")
        assert told(take(clerk, owed[0], "remind_by_sms")) == [f"Reminder queued: {owed[0]}"]
        assert told(take(clerk, owed[0], "remind_by_sms"))[1:] == [
            "The customer was already reminded of this invoice today"
        ]
        take(clerk, owed[0], "remind_by_mail")
        assert sorted(owed[0].notices.values_list("channel", flat=True)) == ["MAIL", "SMS"]

    def test_many_are_reminded_of_from_the_list(self, owed: list[Invoice]) -> None:
        clerk = somebody_of("Facturación")
        chosen = {"action": "remind_by_mail", "_selected_action": [each.pk for each in owed[:3]]}
        clerk.post(f"{rows(Invoice)}?due=overdue", chosen)
        assert Notice.objects.filter(channel="MAIL").count() == 3

    def test_the_first_page_says_how_many_lines_are_suspended_for_it(
        self, owed: list[Invoice], settings: Any
    ) -> None:
        settings.SUSPEND_AFTER_DAYS = 30
        run_day(at=days_later(50))
        figures = {figure.label: figure for figure in superuser().get("/admin/").context["figures"]}
        figure = figures["Lines suspended for non-payment"]
        assert figure.rows == 10
        assert superuser("otra").get(figure.address).context["cl"].result_count == 10

    def test_who_may_only_look_reminds_nobody(self, owed: list[Invoice]) -> None:
        shop = somebody_of("Atención al cliente")
        assert take(shop, owed[0], "remind_by_sms").status_code == 403
        assert not Notice.objects.exists()
