"""Documents as PDF through the front doors."""

from datetime import datetime
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Invoice
from customers.models import Customer, Subscription
from telcox.testing.office import rows, superuser, url

pytestmark = pytest.mark.django_db

JESUS = "0969786985"


@pytest.fixture
def draft(seeded: None, now: datetime) -> Invoice:
    return draft_invoice(subscription=Subscription.objects.get(line__phone_number=JESUS), at=now)


@pytest.fixture
def issued(draft: Invoice, now: datetime) -> Invoice:
    return issue_invoice(invoice=draft, at=now)


def path(invoice: Invoice, phone_number: str = JESUS) -> str:
    return f"/api/customers/{phone_number}/invoices/{invoice.pk}/pdf"


class TestApi:
    def test_a_document_is_shown_under_its_number(
        self, issued: Invoice, open_api: None, client: Client
    ) -> None:
        answer = client.get(path(issued))
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer["Content-Disposition"] == 'inline; filename="001-001-000000001.pdf"'
        assert "private" in answer["Cache-Control"]
        assert len(PdfReader(BytesIO(answer.content)).pages) == 1

    def test_who_has_it_already_is_told_so(
        self, issued: Invoice, open_api: None, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        etag = client.get(path(issued))["ETag"]
        monkeypatch.setattr("billing.printing.answers.document_pdf", None)
        answer = client.get(path(issued), headers={"if-none-match": etag})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)

    def test_head_says_what_get_would(self, issued: Invoice, open_api: None, client: Client) -> None:
        got, head = client.get(path(issued)), client.head(path(issued))
        assert (head.status_code, head.content) == (200, b"")
        assert head["Content-Length"] == str(len(got.content))

    def test_a_draft_and_what_is_no_document_of_the_line_are_not_found(
        self, draft: Invoice, open_api: None, client: Client
    ) -> None:
        others = Invoice.objects.exclude(phone_number=JESUS).issued().first()
        assert others is not None
        before, after = path(draft).rsplit(f"/{draft.pk}/", 1)
        for address in (path(draft), path(others), f"{before}/{'9' * 18}/{after}"):
            assert client.get(address).status_code == 404
        assert client.get(f"{before}/x/{after}").status_code == 404
        assert client.get(path(draft, "123")).status_code == 422

    def test_customers_see_their_own_only(self, issued: Invoice, closed_api: None, client: Client) -> None:
        owner, other = User.objects.create_user("jesus"), User.objects.create_user("carla")
        Customer.objects.filter(dni=issued.customer_dni).update(user=owner)
        assert client.get(path(issued)).status_code == 401
        client.force_login(other)
        assert client.get(path(issued)).status_code == 404
        client.force_login(owner)
        assert client.get(path(issued)).status_code == 200


class TestOffice:
    def test_page_and_list_lead_to_the_document(self, issued: Invoice) -> None:
        staff = superuser()
        address = reverse("admin:billing_invoice_pdf", args=[issued.pk])
        assert address in staff.get(rows(Invoice)).content.decode()
        assert ("PDF", address) in staff.get(url(issued)).context["links"]
        assert staff.get(address)["Content-Type"] == "application/pdf"

    def test_staff_see_drafts_and_nobody_keeps_them(self, draft: Invoice) -> None:
        answer = superuser().get(reverse("admin:billing_invoice_pdf", args=[draft.pk]))
        assert "BORRADOR" in PdfReader(BytesIO(answer.content)).pages[0].extract_text()
        assert "ETag" not in answer

    def test_it_takes_the_permission_to_see_invoices(self, issued: Invoice, client: Client) -> None:
        address = reverse("admin:billing_invoice_pdf", args=[issued.pk])
        client.force_login(User.objects.create_user("nueva", is_staff=True))
        assert client.get(address).status_code == 403
        assert superuser().get(reverse("admin:billing_invoice_pdf", args=["x"])).status_code == 404
