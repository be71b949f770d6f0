"""The history of lines: steps, suspensions and plan changes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from customers.models.catalogue import Plan
from customers.models.people import Customer, Line
from customers.models.subscriptions import Subscription
from telcox.common.calendar import local_date
from telcox.common.database.constraints import IN_THE_LIST, Rule, at_least_zero


class LineStep(models.TextChoices):
    """A step of a line (customers/lifecycle.py)."""

    ACTIVATE = "ACTIVATE", _("Plan sold")
    RENEW = "RENEW", _("Renewed")
    RENEWAL_REFUSED = "RENEWAL_REFUSED", _("Not renewed")
    CHANGE_PLAN = "CHANGE_PLAN", _("Plan changed")
    SCHEDULE_CHANGE = "SCHEDULE_CHANGE", _("Plan change scheduled")
    CANCEL_CHANGE = "CANCEL_CHANGE", _("Plan change cancelled")
    BUY_PACK = "BUY_PACK", _("Pack bought")
    REVISE_TERMS = "REVISE_TERMS", _("Terms revised")
    SUSPEND = "SUSPEND", _("Suspended")
    RESUME = "RESUME", _("Resumed")
    TERMINATE = "TERMINATE", _("Terminated")
    SCHEDULE_END = "SCHEDULE_END", _("End scheduled")
    CANCEL_END = "CANCEL_END", _("Scheduled end cancelled")
    CHANGE_HOLDER = "CHANGE_HOLDER", _("Holder changed")


class LineEvent(models.Model):
    """One step of a line, recorded once: 0969786985 was suspended on the 3rd by ana, for non-payment."""

    line = models.ForeignKey(
        Line,
        verbose_name=_("line"),
        on_delete=models.PROTECT,
        related_name="events",
        db_index=False,  # covered by the index below, which starts with it
    )
    step = models.CharField(_("step"), max_length=16, choices=LineStep)
    at = models.DateTimeField(_("when"))
    by = models.CharField(_("by"), max_length=150, blank=True, help_text=_("Empty: the system itself"))
    subscription = models.ForeignKey(
        Subscription,
        verbose_name=_("subscription"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("event of a line")
        verbose_name_plural = _("history of lines")
        ordering = ("-id",)
        constraints = [
            Rule(
                condition=Q(step__in=LineStep.values),
                name="line_event_step_known",
                sentence=IN_THE_LIST,
                field="step",
            )
        ]
        indexes = [models.Index(fields=("line", "at"), name="line_event_of_line")]

    def __str__(self) -> str:
        return f"{self.get_step_display()} ({local_date(self.at):%d/%m/%Y})"

    @property
    def detail_shown(self) -> str:
        """Return the detail for display: the name of a plan or pack, or the reason of a suspension in the
        reader's language."""
        if self.step == LineStep.SUSPEND and self.detail in SuspensionReason.values:
            return str(SuspensionReason(self.detail).label)
        return self.detail


class SuspensionReason(models.TextChoices):
    CUSTOMER = "CUSTOMER", _("At the customer's request")
    NON_PAYMENT = "NON_PAYMENT", _("Not paid")
    OPERATOR = "OPERATOR", _("The operator's: its days are not charged")


class Suspension(models.Model):
    """A time in which a line is out of service, from `start_at` up to and not including `end_at`.

    `is_open` is True, or null once the suspension has ended: a unique constraint allows one open suspension
    for each line.
    """

    line = models.ForeignKey(
        Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="suspensions"
    )
    reason = models.CharField(_("reason"), max_length=12, choices=SuspensionReason)
    start_at = models.DateTimeField(_("from"))
    end_at = models.DateTimeField(_("until"), null=True, blank=True)
    is_open = models.BooleanField(_("open"), null=True, default=True)

    class Meta:
        verbose_name = _("suspension")
        verbose_name_plural = _("suspensions")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("line", "is_open"), name="suspension_one_open_per_line"),
            Rule(
                condition=Q(is_open=True, end_at=None) | Q(is_open=None, end_at__gte=F("start_at")),
                name="suspension_open_or_ended",
                sentence=_("A suspension is open, or it ends after it starts."),
            ),
            Rule(
                condition=Q(reason__in=SuspensionReason.values),
                name="suspension_reason_known",
                sentence=IN_THE_LIST,
                field="reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line} ({local_date(self.start_at):%d/%m/%Y})"


class PlanChangeQuerySet(models.QuerySet["PlanChange"]):
    def pending(self) -> PlanChangeQuerySet:
        return self.filter(is_pending=True)


class PlanChange(models.Model):
    """A line's change to another plan, now or at the end of its period; until then it is pending.

    `is_pending` is True, or null once the change was carried out (`done_at`) or cancelled: a unique
    constraint allows one pending change for each line.
    """

    line = models.ForeignKey(
        Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="plan_changes"
    )
    plan = models.ForeignKey(Plan, verbose_name=_("new plan"), on_delete=models.PROTECT, related_name="+")
    at_period_end = models.BooleanField(_("when the period ends"), default=False)
    asked_at = models.DateTimeField(_("requested"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    is_pending = models.BooleanField(_("pending"), null=True, default=True)

    objects: ClassVar[models.Manager[PlanChange]] = models.Manager.from_queryset(PlanChangeQuerySet)()

    class Meta:
        verbose_name = _("plan change")
        verbose_name_plural = _("plan changes")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("line", "is_pending"), name="plan_change_one_pending_per_line")
        ]

    def __str__(self) -> str:
        return f"{self.line} → {self.plan}"


class HolderChange(models.Model):
    """Change of a line's holder (*cambio de titular*): on the 12th, ana gave Jesús's line to Carla, with the
    reason. What happened before it is Jesús's: periods, documents, usage. It is never changed.

    `balance` is what was on the wallet, in dollars, and went to the new holder with it.
    """

    line = models.ForeignKey(
        Line, verbose_name=_("line"), on_delete=models.PROTECT, related_name="holder_changes"
    )
    previous = models.ForeignKey(
        Customer, verbose_name=_("previous holder"), on_delete=models.PROTECT, related_name="+"
    )
    customer = models.ForeignKey(
        Customer, verbose_name=_("new holder"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("when"))
    by = models.CharField(_("by"), max_length=150, blank=True)
    why = models.CharField(_("why"), max_length=200)
    balance = models.DecimalField(_("balance handed over"), max_digits=12, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("change of holder")
        verbose_name_plural = _("changes of holder")
        ordering = ("-id",)
        constraints = [
            Rule(
                condition=~Q(previous=F("customer")),
                name="holder_change_to_another",
                sentence=_("The new holder must be another customer."),
                field="customer",
            ),
            *at_least_zero("holder_change", "balance"),
        ]

    def __str__(self) -> str:
        return f"{self.line} ({local_date(self.at):%d/%m/%Y})"


class TermsRevision(models.Model):
    """Revision of the terms that a period was sold on, because they were wrong: the price of November was
    typed 220.00 and corrected to 22.00, by ana, with the reason. It is never changed.

    `before` and `after` have the terms as rating reads them: plan name and terms, discounts, and packs.
    `invoice` is the number of the invoice in force at that time, which keeps the terms from before.
    """

    subscription = models.ForeignKey(
        Subscription, verbose_name=_("subscription"), on_delete=models.PROTECT, related_name="terms_revisions"
    )
    at = models.DateTimeField(_("when"))
    by = models.CharField(_("by"), max_length=150, blank=True)
    why = models.CharField(_("why"), max_length=200)
    before = models.JSONField(_("before"), editable=False)
    after = models.JSONField(_("after"), editable=False)
    invoice = models.CharField(_("invoice at that time"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("revision of sold terms")
        verbose_name_plural = _("revisions of sold terms")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.subscription} ({local_date(self.at):%d/%m/%Y})"
