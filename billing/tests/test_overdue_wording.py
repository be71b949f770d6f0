"""What customers are told, how it reaches their telephone, and the settings that say when."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing.models import (
    Channel,
    Invoice,
    InvoiceKind,
    InvoiceSeries,
    InvoiceStatus,
    Notice,
    NoticeKind,
)
from billing.notices.carriers import deliver_sms
from billing.notices.sending import reason_to_drop
from billing.notices.wording import overdue_text
from billing.overdue.ladder import Rung, parse_ladder, suspension_limit
from billing.overdue.wording import reminder_text, suspension_text
from customers import sms
from customers.models import Language, Line, Subscription
from customers.services import resume_line, suspend_line
from telcox.testing.databases import manage

D = Decimal
TEXTS = {"reminder": reminder_text, "suspension": suspension_text}
# 3GPP TS 23.038, without what takes two places.
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def owing(language: str, total: str = "25.30", **series: Any) -> Invoice:
    """Not saved: what is owed of it is all of it."""
    return Invoice(
        series=InvoiceSeries(**{"prefix": "001-001", **series}),
        number=17,
        language=language,
        customer_name="Jesus Jacome",
        phone_number="0969786985",
        total=D(total),
        due_on=date(2026, 11, 9),
    )


@pytest.fixture(autouse=True)
def nothing_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Invoice, "outstanding", property(lambda invoice: invoice.total))


class TestWording:
    def test_a_reminder_by_mail(self) -> None:
        subject, text = reminder_text(owing("es"), 10, Channel.MAIL)
        assert subject == "Factura 001-001-000000017 pendiente de pago"
        assert "venció el 09/11/2026, hace 10 días. Quedan por pagar $ 25,30." in text
        subject, text = reminder_text(owing("en"), 1, Channel.MAIL)
        assert subject == "Invoice 001-001-000000017 is waiting for your payment"
        assert "was due on 2026-11-09, a day ago. $ 25.30 of it is still to be paid." in text

    def test_a_suspension_by_mail(self) -> None:
        subject, text = suspension_text(owing("es"), 30, Channel.MAIL)
        assert subject == "Línea 0969786985 suspendida por falta de pago"
        assert "factura 001-001-000000017" in text
        assert "suspended 0969786985" in suspension_text(owing("en"), 30, Channel.MAIL)[1]

    @pytest.mark.parametrize("language", Language.values)
    @pytest.mark.parametrize("text", TEXTS)
    def test_an_sms_is_one_message_however_long_its_figures_are(self, text: str, language: str) -> None:
        longest = owing(language, "9999999999.99", pattern="Factura {prefix}-{number:024d}")
        assert len(longest.full_number or "") == 40
        subject, written = TEXTS[text](longest, 3650, Channel.SMS)
        assert subject == ""
        assert len(written) <= 160
        assert not set(written) - GSM
        assert str(longest) in written


class TestSettings:
    def test_a_ladder_is_read_rung_by_rung(self) -> None:
        assert parse_ladder("3:mail, 10:mail+sms,20:sms") == (
            Rung(3, ("MAIL",)),
            Rung(10, ("MAIL", "SMS")),
            Rung(20, ("SMS",)),
        )
        assert parse_ladder("") == ()

    @pytest.mark.parametrize(
        "text",
        [
            "3", "3:", ":mail", "3:fax", "0:mail", "-1:mail", "3651:mail", "3:mail+mail", "3:mail,3:sms",
            "10:mail,3:sms", "3:mail,", ",", "x:mail", "3:MAIL", "3:mail;5:sms", "²:mail",
        ],
    )  # fmt: skip
    def test_nonsense_is_refused(self, text: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="REMINDER_LADDER"):
            parse_ladder(text)

    @pytest.mark.parametrize("days", [-1, 3651])
    def test_a_limit_is_some_days_or_none(self, days: int) -> None:
        with pytest.raises(ImproperlyConfigured, match="SUSPEND_AFTER_DAYS"):
            suspension_limit(days)

    @pytest.mark.processes
    def test_they_come_from_the_environment(self) -> None:
        code = "from django.conf import settings as s; print(s.REMINDER_LADDER[0].days, s.SUSPEND_AFTER_DAYS)"
        env = {"REMINDER_LADDER": "7:sms", "SUSPEND_AFTER_DAYS": "45"}
        assert manage(env, "shell", "--verbosity=0", "-c", code).split() == ["7", "45"]


class Recorded:
    """A carrier of which it is known what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, *, phone_number: str, text: str) -> None:
        self.sent.append((phone_number, text))


@pytest.mark.django_db
class TestSending:
    @pytest.fixture
    def carrier(self, monkeypatch: pytest.MonkeyPatch) -> Recorded:
        carrier = Recorded()
        monkeypatch.setattr(sms, "gateway", lambda: carrier)
        return carrier

    @pytest.fixture
    def notice(self, seeded: None) -> Notice:
        period = Subscription.objects.get(line__phone_number="0969786985")
        invoice = Invoice.objects.exclude(kind=InvoiceKind.CREDIT_NOTE).filter(phone_number="0969786985")[0]
        invoice.subscription, invoice.customer, invoice.status = period, period.line.customer, "ISSUED"
        return Notice(invoice=invoice, kind=NoticeKind.REMINDER, days=10, channel=Channel.SMS)

    def test_an_sms_goes_to_the_lines_number(self, notice: Notice, carrier: Recorded) -> None:
        deliver_sms(notice)
        assert carrier.sent == [("0969786985", overdue_text(notice)[1])]

    def test_a_number_that_is_somebody_elses_now_hears_nothing(
        self, notice: Notice, carrier: Recorded
    ) -> None:
        for change in ({"status": "TERMINATED"}, {"phone_number": "0969786986"}):
            line = Line.objects.get(phone_number="0969786985")
            Line.objects.filter(pk=line.pk).update(**change)
            with pytest.raises(sms.SmsRefused) as refused:
                deliver_sms(notice)
            assert refused.value.reason == "not_their_number"
            line.save()
        assert not carrier.sent

    def test_what_is_true_no_more_need_not_be_sent(self, notice: Notice, now: Any) -> None:
        assert reason_to_drop(notice) == ""
        for status in (InvoiceStatus.PAID, InvoiceStatus.VOID):
            notice.invoice.status = status
            assert reason_to_drop(notice)
        notice.kind = NoticeKind.DOCUMENT
        assert reason_to_drop(notice) == ""

    def test_the_word_of_a_suspension_only_while_it_lasts(self, notice: Notice, now: Any) -> None:
        notice.kind, subscription = NoticeKind.SUSPENSION, notice.invoice.subscription
        assert subscription is not None
        suspend_line(line=subscription.line, reason="NON_PAYMENT", at=now)
        subscription.line.refresh_from_db()
        assert reason_to_drop(notice) == ""
        resume_line(line=subscription.line, at=now)
        subscription.line.refresh_from_db()
        assert reason_to_drop(notice)
