"""Documents by e-mail: to whom, what, and once whatever happens."""

import smtplib
from collections.abc import Iterator
from datetime import datetime
from threading import Barrier, Lock
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command

from billing.invoicing.closing import bill_ended_periods
from billing.invoicing.drafting import draft_invoice
from billing.invoicing.issuing import issue_invoice
from billing.models import Channel, Invoice, InvoiceSeries, Notice, NoticeKind, NoticeState
from billing.notices import Sent, send_again, send_notices
from billing.notices.carriers import CONSOLE
from billing.settling.paying import receive_payment
from billing.tests.builders import refusal, spend_balances
from customers.models import Customer, Subscription
from telcox.common.calendar import add_days
from telcox.testing.office import superuser, take, told
from telcox.testing.threads import in_threads

JESUS = "0969786985"
ADDRESS = "jesus@telcox.example"


def issue(at: datetime) -> Invoice:
    InvoiceSeries.objects.get_or_create(prefix="001-001")
    Customer.objects.filter(full_name="Jesus Jacome").update(email=ADDRESS)
    subscription = Subscription.objects.get(line__phone_number=JESUS)
    spend_balances(at)
    return issue_invoice(invoice=draft_invoice(subscription=subscription, at=at), at=at)


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.MAIL_DOCUMENTS = True


@pytest.fixture
def issued(seeded: None, mailing: None, now: datetime) -> Invoice:
    return issue(now)


@pytest.fixture
def notice(issued: Invoice) -> Notice:
    return issued.notices.get()


class Server(BaseEmailBackend):
    """A mail server that does what it is told to."""

    away: Exception | None = None
    does: Exception | None = None
    taken: list[EmailMessage] = []

    def open(self) -> bool:
        if Server.away:
            raise Server.away
        return True

    def send_messages(self, messages: Any) -> int:
        if Server.does:
            raise Server.does
        Server.taken += messages
        return len(messages)


@pytest.fixture
def server(settings: Any) -> type[Server]:
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    Server.away, Server.does, Server.taken = None, None, []
    return Server


def send(at: datetime) -> Sent:
    return send_notices(clock=lambda: at)


def state(notice: Notice) -> tuple[str, str]:
    notice.refresh_from_db()
    return notice.state, notice.problem


@pytest.mark.django_db
class TestMailing:
    def test_a_document_goes_to_its_customer_when_it_is_issued(self, notice: Notice, now: datetime) -> None:
        assert (notice.kind, notice.channel, notice.created_at) == (NoticeKind.DOCUMENT, Channel.MAIL, now)
        assert send(now) == Sent(sent=1)
        [message] = mail.outbox
        assert (message.to, message.subject) == ([ADDRESS], "Su factura 001-001-000000001")
        assert "Jesus Jacome" in message.body
        assert "USD 25,30" in message.body
        [(name, content, kind)] = message.attachments
        assert (name, content[:5], kind) == ("001-001-000000001.pdf", b"%PDF-", "application/pdf")
        assert (state(notice), notice.sent_at) == ((NoticeState.SENT, ""), now)

    def test_in_the_language_of_the_document(self, seeded: None, mailing: None, now: datetime) -> None:
        Customer.objects.update(language="en")
        issue(now)
        send(now)
        assert mail.outbox[0].subject == "Your invoice 001-001-000000001"

    def test_in_production_nothing_is_mailed_into_the_logs(
        self, notice: Notice, now: datetime, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.EMAIL_BACKEND, settings.DEBUG = CONSOLE, False
        assert send(now) == Sent()
        assert state(notice) == (NoticeState.WAITING, "")
        settings.DEBUG = True
        assert send(now) == Sent(sent=1)
        assert ADDRESS in capsys.readouterr().out

    @pytest.mark.parametrize("channel", Channel)
    def test_a_reminder_is_said_unless_it_was_paid_meanwhile(
        self, issued: Invoice, now: datetime, settings: Any, channel: Channel,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        settings.DEBUG = True
        issued.notices.update(state=NoticeState.SENT)
        first, second = (
            Notice.objects.create(
                invoice=issued, kind=NoticeKind.REMINDER, days=days, channel=channel, created_at=now
            )
            for days in (3, 10)
        )
        Notice.objects.filter(pk=second.pk).update(state=NoticeState.SENDING)
        assert send(now) == Sent(sent=1)
        said = [message.body for message in mail.outbox] or [capsys.readouterr().out]
        assert "001-001-000000001" in said[0]
        Notice.objects.filter(pk=second.pk).update(state=NoticeState.WAITING)
        receive_payment(invoice=issued, amount=issued.total, payment_method="EFECTIVO", reference="r", at=now)
        assert send(now) == Sent()
        assert (state(first)[0], state(second)[0]) == (NoticeState.SENT, NoticeState.DROPPED)

    def test_once_however_often_it_is_looked_for(self, notice: Notice, now: datetime) -> None:
        assert (send(now), send(now)) == (Sent(sent=1), Sent())
        call_command("send_notices")
        assert len(mail.outbox) == 1

    def test_nobody_without_an_address_and_nothing_unless_documents_are_mailed(
        self, seeded: None, settings: Any, now: datetime
    ) -> None:
        issue(now)
        assert not Notice.objects.exists()
        settings.MAIL_DOCUMENTS = True
        Customer.objects.update(email="")
        list(bill_ended_periods(at=add_days(now, 60)))
        assert not Notice.objects.exists()

    def test_a_day_of_bills_is_mailed_as_well(self, seeded: None, mailing: None, now: datetime) -> None:
        Customer.objects.update(email=ADDRESS)
        later = add_days(now, 60)
        billed = sum(step.invoices for step in bill_ended_periods(at=later))
        assert billed
        assert Notice.objects.filter(invoice__issued_at=later).count() == billed

    def test_an_invoice_that_is_not_issued_after_all_is_not_mailed(
        self, seeded: None, mailing: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **options: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr("billing.invoicing.issuing.bulk_insert", fail)
        with pytest.raises(RuntimeError):
            issue(now)
        assert not Invoice.objects.filter(issued_at=now).exists()


@pytest.mark.django_db
class TestFailing:
    def test_a_server_that_is_away_costs_nothing(
        self, notice: Notice, server: type[Server], now: datetime
    ) -> None:
        server.away = ConnectionRefusedError()
        assert send(now) == Sent()
        assert state(notice) == (NoticeState.WAITING, "")
        server.away = None
        assert send(now) == Sent(sent=1)

    def test_what_is_refused_has_failed_and_says_why(
        self, notice: Notice, server: type[Server], now: datetime
    ) -> None:
        server.does = smtplib.SMTPDataError(552, b"too large")
        assert send(now) == Sent(failed=1)
        assert state(notice) == (NoticeState.FAILED, "(552, b'too large')")

    def test_what_cannot_be_made_has_failed(self, notice: Notice, now: datetime) -> None:
        Customer.objects.update(email="")
        assert send(now) == Sent(failed=1)
        assert state(notice)[0] == NoticeState.FAILED

    def test_what_may_have_gone_out_is_not_sent_again_by_itself(
        self, notice: Notice, server: type[Server], now: datetime
    ) -> None:
        server.does = smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        assert send(now) == Sent(unsure=1)
        assert state(notice) == (NoticeState.SENDING, "Connection unexpectedly closed")
        server.does = None
        assert send(now) == Sent()
        assert not server.taken

    def test_whoever_is_killed_while_sending_leaves_it_at_that(
        self, notice: Notice, server: type[Server], now: datetime
    ) -> None:
        server.does = KeyboardInterrupt()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            send(now)
        server.does = None
        assert send(now) == Sent()
        assert state(notice)[0] == NoticeState.SENDING

    def test_staff_send_it_again(self, notice: Notice, server: type[Server], now: datetime) -> None:
        server.does = smtplib.SMTPDataError(552, b"too large")
        send(now)
        staff = superuser()
        assert told(take(staff, notice, "send_again")) == [f"Will be sent again: {notice}"]
        assert refusal(lambda: send_again(notice=notice)) == "notice_waiting"
        server.does = None
        assert send(now) == Sent(sent=1)
        assert state(notice) == (NoticeState.SENT, "")


@pytest.mark.mariadb
def test_two_who_send_at_once_send_each_notice_once(
    committed: None, mailing: None, now: datetime, server: type[Server]
) -> None:
    first = issue(now)
    Notice.objects.bulk_create(
        Notice(invoice=first, kind=NoticeKind.DOCUMENT, channel=Channel.MAIL, days=days, created_at=now)
        for days in range(1, 60)
    )
    sent = in_threads(lambda _: send(now), range(4), threads=4)
    assert sum(each.sent for each in sent) == len(server.taken) == 60


@pytest.mark.mariadb
def test_without_the_claim_a_notice_is_sent_twice(
    committed: None, mailing: None, now: datetime, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(now)
    together, guard = Barrier(2), Lock()

    def unclaimed(channel: Channel, until: float) -> Iterator[Notice]:
        if waiting := list(Notice.objects.filter(state=NoticeState.WAITING, channel=channel)):
            together.wait(timeout=60)
            with guard:
                yield from waiting

    monkeypatch.setattr("billing.notices.sending._claimed", unclaimed)
    in_threads(lambda _: send(now), range(2), threads=2)
    assert len(server.taken) == 2
