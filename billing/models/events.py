"""Status history of documents, and notices sent to customers about them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice, InvoiceStatus
from telcox.common.database.constraints import IN_THE_LIST, Rule
from telcox.common.database.frozen import Frozen


class InvoiceEvent(Frozen):
    """One change of an invoice's status, written once: 001-001-000000017 became paid on the 28th, by ana."""

    invoice = models.ForeignKey(
        Invoice, verbose_name=_("invoice"), on_delete=models.CASCADE, related_name="events"
    )
    from_status = models.CharField(_("from"), max_length=12, choices=InvoiceStatus, blank=True)
    to_status = models.CharField(_("to"), max_length=12, choices=InvoiceStatus)
    at = models.DateTimeField(_("when"))
    by = models.CharField(_("by"), max_length=150, blank=True, help_text=_("Empty: the system itself"))
    why = models.CharField(_("why"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("event of an invoice")
        verbose_name_plural = _("history of invoices")
        ordering = ("-id",)
        constraints = [
            Rule(
                condition=Q(to_status__in=InvoiceStatus.values)
                & Q(from_status__in=["", *InvoiceStatus.values]),
                name="invoice_event_statuses_known",
                sentence=IN_THE_LIST,
                field="to_status",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invoice}: {self.get_to_status_display()}"


class NoticeKind(models.TextChoices):
    DOCUMENT = "DOCUMENT", _("Document")
    REMINDER = "REMINDER", _("Reminder")
    SUSPENSION = "SUSPENSION", _("Suspension")


class Channel(models.TextChoices):
    MAIL = "MAIL", _("E-mail")
    SMS = "SMS", _("SMS")


class NoticeState(models.TextChoices):
    WAITING = "WAITING", _("Waiting")
    SENDING = "SENDING", _("Being sent")
    SENT = "SENT", _("Sent")
    FAILED = "FAILED", _("Failed")
    DROPPED = "DROPPED", _("No longer needed")


class Notice(models.Model):
    """Notice in the outbox, sent to the customer at most once: a document by e-mail, or a reminder by SMS
    seven days after the invoice was due (`days`).

    The state is SENDING from before the message is handed to the carrier until the result is known. If that
    stays unknown, or the process is killed in between, the state stays SENDING, and the notice is sent again
    only if a clerk asks for that.
    """

    invoice = models.ForeignKey(
        Invoice, verbose_name=_("invoice"), on_delete=models.PROTECT, related_name="notices", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=NoticeKind)
    days = models.PositiveSmallIntegerField(_("days overdue"), default=0)
    channel = models.CharField(_("by"), max_length=4, choices=Channel)
    state = models.CharField(_("state"), max_length=7, choices=NoticeState, default=NoticeState.WAITING)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("invoice", "kind", "days", "channel"), name="notice_once"),
            Rule(
                condition=Q(kind__in=NoticeKind.values),
                name="notice_kind_known",
                sentence=IN_THE_LIST,
                field="kind",
            ),
            Rule(
                condition=Q(channel__in=Channel.values),
                name="notice_channel_known",
                sentence=IN_THE_LIST,
                field="channel",
            ),
            Rule(
                condition=Q(state__in=NoticeState.values),
                name="notice_state_known",
                sentence=IN_THE_LIST,
                field="state",
            ),
        ]
        indexes = [models.Index(fields=("state",), name="notice_by_state")]

    def __str__(self) -> str:
        return f"{self.invoice}: {self.get_kind_display()}"
