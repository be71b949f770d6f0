"""Billing runs, their chunks, and quarantined bills."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Subscription
from telcox.common.database.constraints import IN_THE_LIST, Rule, at_least_zero

PERIOD = RegexValidator(r"\A[0-9]{4}-(0[1-9]|1[0-2])\Z", _("Write the period as year and month: 2026-11"))


class RunState(models.TextChoices):
    NEW = "NEW", _("Not started")
    RUNNING = "RUNNING", _("In progress")
    STOPPED = "STOPPED", _("Stopped")
    DONE = "DONE", _("Done")


class BillingRun(models.Model):
    """Billing run of a month: it bills the periods that have ended by the end of 2026-11 and have no invoice
    yet. There is one run for each month. It can be stopped, resumed, and run again when more periods have
    ended.

    `seen_at` is the time of the run's last progress. A run in progress that has not been seen for
    RUN_SILENT_SECONDS is considered abandoned: the next process that starts it resumes it.
    """

    period = models.CharField(
        _("period"), max_length=7, unique=True, validators=[PERIOD], help_text="2026-11"
    )
    state = models.CharField(_("state"), max_length=7, choices=RunState, default=RunState.NEW)
    # Periods that have ended by then are billed, and their invoices are issued as of then.
    at = models.DateTimeField(_("as of"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    started_by = models.CharField(
        _("by"), max_length=150, blank=True, help_text=_("Empty: the system itself")
    )
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # Result of a dry run (billing/runs/rehearsing.py), or the progress of one that is running.
    dry_run = models.JSONField(_("dry run"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("billing run")
        verbose_name_plural = _("billing runs")
        ordering = ("-period",)
        constraints = [
            Rule(
                condition=Q(state__in=RunState.values),
                name="billing_run_state_known",
                sentence=IN_THE_LIST,
                field="state",
            ),
            Rule(
                condition=Q(state=RunState.NEW) | Q(at__isnull=False, started_at__isnull=False),
                name="billing_run_started",
                sentence=_("A run that was started has a moment at which it was."),
            ),
        ]

    def __str__(self) -> str:
        return self.period


class BillingChunk(models.Model):
    """Chunk of a billing run: periods that are billed in one transaction, which also writes the result."""

    run = models.ForeignKey(
        BillingRun,
        verbose_name=_("run"),
        on_delete=models.CASCADE,
        related_name="chunks",
        db_index=False,  # the constraint below begins with it
    )
    number = models.PositiveIntegerField(_("no."))
    keys = models.JSONField(_("periods"), editable=False)
    size = models.PositiveIntegerField(_("size"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    invoices = models.PositiveIntegerField(_("invoices"), default=0)
    parked = models.PositiveIntegerField(_("quarantined"), default=0)
    subtotal = models.DecimalField(_("subtotal"), max_digits=14, decimal_places=2, default=0)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2, default=0)
    tax = models.DecimalField(_("tax"), max_digits=14, decimal_places=2, default=0)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=0)
    # The same by the month of the documents (Invoice.period): {"2026-11": [3, "66.00", "0.00", "9.90",
    # "75.90"]}. Empty for chunks that were billed before this was recorded.
    by_month = models.JSONField(_("by month"), default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("chunk of a billing run")
        verbose_name_plural = _("chunks of billing runs")
        ordering = ("run", "number")
        constraints = [
            models.UniqueConstraint(fields=("run", "number"), name="billing_chunk_number_once"),
            *at_least_zero("billing_chunk", "subtotal", "discount", "tax", "total"),
        ]
        indexes = [models.Index(fields=("run", "done_at"), name="billing_chunk_open")]

    def __str__(self) -> str:
        return f"{self.run} · {self.number}"


class ParkReason(models.TextChoices):
    BROKEN = "BROKEN", _("Cannot be calculated")
    SUSPICIOUS = "SUSPICIOUS", _("Suspicious amount")


class ParkedBillQuerySet(models.QuerySet["ParkedBill"]):
    def waiting(self) -> ParkedBillQuerySet:
        return self.filter(is_open=True)


class ParkedBill(models.Model):
    """Quarantined bill: a period that is not billed until a clerk has decided, because its amount is
    suspicious or cannot be calculated. The other periods are billed without it.

    `is_open` is True while the bill waits, and null once it was released: then it is billed by the next
    billing run, by the daily billing, or by hand. A period has at most one open quarantined bill. `approved`:
    the amount was confirmed, even if it is suspicious.
    """

    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        related_name="parked",
        db_index=False,  # the constraint below begins with it
    )
    is_open = models.BooleanField(_("waits for a decision"), null=True, default=True)
    run = models.ForeignKey(
        BillingRun,
        verbose_name=_("run"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="parked",
    )
    reason = models.CharField(_("reason"), max_length=10, choices=ParkReason)
    detail = models.CharField(_("detail"), max_length=250, blank=True)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, null=True, blank=True)
    parked_at = models.DateTimeField(_("quarantined"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    released_by = models.CharField(_("released by"), max_length=150, blank=True)
    approved = models.BooleanField(_("amount confirmed"), default=False)

    objects: ClassVar[models.Manager[ParkedBill]] = models.Manager.from_queryset(ParkedBillQuerySet)()

    class Meta:
        verbose_name = _("quarantined bill")
        verbose_name_plural = _("quarantined bills")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("subscription", "is_open"), name="parked_bill_once_at_a_time"),
            Rule(
                condition=Q(is_open=True, released_at=None) | Q(is_open=None, released_at__isnull=False),
                name="parked_bill_waits_or_released",
                sentence=_("A quarantined bill is waiting, or it was released."),
            ),
            Rule(
                condition=Q(reason__in=ParkReason.values),
                name="parked_bill_reason_known",
                sentence=IN_THE_LIST,
                field="reason",
            ),
        ]
        indexes = [models.Index(fields=("is_open", "parked_at"), name="parked_bill_waiting")]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.get_reason_display()}"
