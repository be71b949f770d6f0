"""What staff do in the back-office, as their browser sends it."""

import pytest
from django.test import Client
from django.urls import reverse

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice, InvoiceLine, InvoiceSeries, Issuer, Payment
from billing.tests.builders import spend_balances
from customers.models import Customer, Line, Plan, Subscription
from telcox.testing.builders import NOW
from telcox.testing.office import new, rows, somebody_of, superuser, take, told, url
from usage.models import UsageEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("seeded")]


@pytest.fixture
def billing_clerk() -> Client:
    return somebody_of("Facturación")


@pytest.fixture
def shop() -> Client:
    return somebody_of("Atención al cliente")


@pytest.fixture
def boss() -> Client:
    return superuser()


@pytest.fixture
def subscription() -> Subscription:
    return Subscription.objects.get(line__phone_number="0969786985")


@pytest.fixture
def draft(subscription: Subscription) -> Invoice:
    return draft_invoice(subscription=subscription, at=NOW)


# --- Customers, lines, subscriptions ---


def test_a_sold_plan_cannot_be_deleted(boss: Client, subscription: Subscription) -> None:
    boss.post(url(subscription.plan, "delete"), {"post": "yes"})
    assert Plan.objects.filter(pk=subscription.plan_id).exists()


def test_the_shop_takes_on_a_customer_a_line_and_sells_a_plan(shop: Client) -> None:
    shop.post(
        new(Customer),
        {
            "dni": "0911111111",
            "full_name": "Ana Vera",
            "language": "es",
            "lines-TOTAL_FORMS": "1",
            "lines-INITIAL_FORMS": "0",
            "lines-0-phone_number": "+593 98 111 1111".replace(" ", ""),
            "lines-0-product_type": "MOVIL",
            "lines-0-auto_renew": "on",
        },
    )
    line = Line.objects.get(phone_number="0981111111")
    assert line.customer.full_name == "Ana Vera"
    plan = Plan.objects.get(code="movil-15")
    response = shop.post(new(Subscription), {"line": line.pk, "plan": plan.pk})
    sold = line.subscriptions.get()
    assert response.status_code == 302
    assert (sold.plan, sold.price, sold.limit_bytes) == (plan, plan.price, plan.data_bytes)


def test_a_refused_sale_says_why_and_keeps_what_was_filled_in(shop: Client) -> None:
    line, plan = Line.objects.get(phone_number="0969786985"), Plan.objects.get(code="hogar-500")
    response = shop.post(new(Subscription), {"line": line.pk, "plan": plan.pk}, follow=True)
    assert told(response) == ["The plan is not for this kind of line"]
    initial = response.context["adminform"].form.initial
    assert (initial["line"], initial["plan"]) == (str(line.pk), str(plan.pk))
    assert line.subscriptions.count() == 1


@pytest.mark.parametrize("number", ["abc", "12", "0" * 16, "0969786985"])
def test_a_number_that_is_none_or_taken_is_refused_in_the_form(shop: Client, number: str) -> None:
    customer = Customer.objects.all()[0]
    given = {"customer": customer.pk, "phone_number": number, "product_type": "MOVIL", "status": "ACTIVE"}
    response = shop.post(new(Line), given)
    assert response.status_code == 200
    assert "phone_number" in response.context["adminform"].form.errors


def test_a_subscription_is_only_looked_at(boss: Client, subscription: Subscription) -> None:
    before = Subscription.objects.values().get(pk=subscription.pk)
    assert boss.post(url(subscription), {"price": "0.01", "plan_name": "x"}).status_code == 403
    assert boss.post(url(subscription, "delete"), {"post": "yes"}).status_code == 403
    assert Subscription.objects.values().get(pk=subscription.pk) == before


# --- Invoices ---


def test_draft_issue_pay(billing_clerk: Client, subscription: Subscription) -> None:
    spend_balances(NOW)
    response = take(billing_clerk, subscription, "draft_invoice")
    invoice = Invoice.objects.drafts().get()
    assert response["Location"] == url(invoice)
    page = billing_clerk.get(url(invoice))
    assert [step.name for step in page.context["steps"]] == ["issue", "discard"]

    response = take(billing_clerk, invoice, "issue")
    invoice.refresh_from_db()
    assert invoice.full_number == "001-001-000000001"
    assert told(response) == ["Issued: 001-001-000000001"]
    page = billing_clerk.get(url(invoice))
    assert page.context["steps"] == []

    links = {str(label): address for label, address in page.context["links"]}
    assert list(links) == ["PDF", "Record payment", "Issue credit note"]
    address = links["Record payment"]
    form = billing_clerk.get(address).context["adminform"].form
    assert form.initial["amount"] == str(invoice.total)
    paid = {
        "invoice": invoice.pk,
        "amount": form.initial["amount"],
        "payment_method": "TRANSFERENCIA",
        "paid_at_0": "2026-12-03",
        "paid_at_1": "10:30:00",
        "reference": "TR-1",
    }
    assert billing_clerk.post(new(Payment), paid).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.status, invoice.outstanding) == ("PAID", 0)
    labels = [str(label) for label, _ in billing_clerk.get(url(invoice)).context["links"]]
    assert labels == ["PDF", "Issue credit note"]


def test_a_draft_with_a_discount_from_the_form(billing_clerk: Client, subscription: Subscription) -> None:
    given = {"subscription": subscription.pk, "discount": "5.00"}
    billing_clerk.post(new(Invoice), given)
    assert Invoice.objects.drafts().get().discount == 5
    response = billing_clerk.post(new(Invoice), given, follow=True)
    assert told(response)[-1] == "The period already has an invoice"
    assert Invoice.objects.drafts().count() == 1
    assert (
        billing_clerk.post(new(Invoice), {"discount": "1"}).status_code == 200
    )  # no subscription: form error
    assert billing_clerk.post(new(Invoice), {**given, "discount": "-1"}).status_code == 200
    assert Invoice.objects.drafts().count() == 1


def test_a_discarded_draft_is_gone_and_its_period_free(billing_clerk: Client, draft: Invoice) -> None:
    response = take(billing_clerk, draft, "discard")
    assert response["Location"] == rows(Invoice)
    assert not Invoice.objects.drafts().exists()
    assert not InvoiceLine.objects.filter(invoice=draft.pk).exists()


def ways_to_change_or_delete(client: Client, invoice: Invoice) -> list[int]:
    """Whatever a browser, or somebody without one, could send."""
    lines = {
        "lines-TOTAL_FORMS": "1",
        "lines-INITIAL_FORMS": "1",
        "lines-0-amount": "0",
        "lines-0-DELETE": "on",
    }
    selected = {
        "_selected_action": [invoice.pk, *InvoiceLine.objects.values_list("pk", flat=True)],
        "post": "yes",
    }
    answers = [
        client.post(url(invoice), {"total": "0.01", "status": "DRAFT", "customer_name": "x", **lines}),
        client.post(url(invoice, "delete"), {"post": "yes"}),
        client.post(rows(Invoice), {"action": "delete_selected", **selected}),
        client.post(rows(Invoice), {"action": "discard", **selected}),
        client.post(rows(Invoice), {"form-0-id": invoice.pk, "form-0-total": "0", "_save": "1"}),
        client.post(rows(InvoiceLine), {"action": "delete_selected", **selected}),
        client.post(url(invoice.lines.first(), "delete"), {"post": "yes"}),
        client.post(url(invoice.lines.first()), {"amount": "0"}),
        client.post(url(invoice.series, "delete"), {"post": "yes"}),
        client.post(url(invoice.series), {"last_number": "0", "prefix": "x"}),
        client.post(url(invoice.customer, "delete"), {"post": "yes"}),
        client.post(url(invoice.subscription, "delete"), {"post": "yes"}),
        take(client, invoice, "discard"),
        take(client, invoice, "issue"),
    ]
    return [answer.status_code for answer in answers]


def test_an_issued_invoice_cannot_be_changed_or_deleted(boss: Client, draft: Invoice) -> None:
    spend_balances(NOW)
    invoice = issue_invoice(invoice=draft, at=NOW)

    def everything() -> list[object]:
        return [
            list(model.objects.order_by("pk").values()) for model in (Invoice, InvoiceLine, InvoiceSeries)
        ]

    before = everything()
    answers = ways_to_change_or_delete(boss, invoice)
    assert everything() == before
    assert 500 not in answers


def test_issuing_many_tells_which_were_refused(boss: Client, draft: Invoice) -> None:
    issued = Invoice.objects.issued().first()
    chosen = {"_selected_action": [draft.pk, issued.pk], "action": "issue"}
    page = boss.post(rows(Invoice), chosen)
    response = boss.post(rows(Invoice), {**chosen, "confirmed": dict(page.context["kept"])["confirmed"]})
    assert told(response) == [
        f"{issued}: An invoice that is “Paid” cannot become “Issued”",
        "Issue: 1 done.",
    ]
    draft.refresh_from_db()
    assert draft.number == 1


def test_steps_are_for_those_who_may(shop: Client, draft: Invoice) -> None:
    assert shop.get(url(draft)).context["steps"] == []
    for step in ("issue", "discard"):
        assert take(shop, draft, step).status_code == 403
    assert take(shop, draft.subscription, "draft_invoice").status_code == 403
    shop.post(rows(Invoice), {"action": "issue", "_selected_action": [draft.pk]})
    draft.refresh_from_db()
    assert draft.is_draft


def test_a_step_is_not_taken_by_following_a_link(boss: Client, draft: Invoice) -> None:
    address = reverse("admin:billing_invoice_step", args=[draft.pk, "issue"])
    assert boss.get(address).status_code == 405
    assert boss.post(address.replace("issue", "sing")).status_code == 404
    assert boss.post(reverse("admin:billing_invoice_step", args=[10**9, "issue"])).status_code == 404


# --- Payments ---


def test_a_payment_is_only_looked_at(boss: Client) -> None:
    payment = Payment.objects.all()[0]
    assert boss.post(url(payment), {"amount": "0.01"}).status_code == 403
    assert boss.post(url(payment, "delete"), {"post": "yes"}).status_code == 403
    payment_before = Payment.objects.values().get(pk=payment.pk)
    boss.post(rows(Payment), {"action": "delete_selected", "_selected_action": [payment.pk], "post": "yes"})
    assert Payment.objects.values().get(pk=payment.pk) == payment_before


# --- The rest ---


def test_usage_is_only_looked_at(boss: Client) -> None:
    event = UsageEvent.objects.all()[0]
    assert boss.post(url(event), {"quantity": "1"}).status_code == 403
    assert boss.post(url(event, "delete"), {"post": "yes"}).status_code == 403
    assert boss.get(new(UsageEvent)).status_code == 403


def test_what_staff_did_is_in_the_history(billing_clerk: Client, draft: Invoice) -> None:
    take(billing_clerk, draft, "issue")
    history = billing_clerk.get(url(draft, "history")).content.decode()
    assert "Issue" in history


# --- What stays as it is ---


def test_a_series_is_written_otherwise_only_until_it_gave_a_number(boss: Client, draft: Invoice) -> None:
    series = InvoiceSeries.objects.get(prefix="001-001")
    boss.post(url(series), {"pattern": "{prefix}/{number:05d}"})
    spend_balances(NOW)
    issued = issue_invoice(invoice=draft, at=NOW)
    assert issued.full_number == "001-001/00001"
    boss.post(url(series), {"pattern": "{prefix}-{number}"})
    series.refresh_from_db()
    assert (series.pattern, series.last_number) == ("{prefix}/{number:05d}", 1)


def test_an_issuer_is_added_and_never_changed(boss: Client) -> None:
    boss.post(new(Issuer), {"name": "TelcoX del Sur", "tax_id": "1790012345001"})
    issuer = Issuer.objects.get(name="TelcoX del Sur")
    assert Issuer.objects.present() == issuer
    assert boss.post(url(issuer), {"name": "Other", "tax_id": "1"}).status_code == 403
    assert boss.post(url(issuer, "delete"), {"post": "yes"}).status_code == 403


def test_an_invoice_shows_its_history(billing_clerk: Client, draft: Invoice) -> None:
    spend_balances(NOW)
    invoice = issue_invoice(invoice=draft, at=NOW, by="ana")
    page = billing_clerk.get(url(invoice)).content.decode()
    assert "<p>ana</p>" in page
