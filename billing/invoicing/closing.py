"""Billing the periods that have ended."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.invoicing.drafting import Document, draft_of
from billing.invoicing.issuing import issue_documents
from billing.invoicing.late_use import note_late_use
from billing.invoicing.parking import assess_bills, doubt_from_error, park_bills, split_out_failures
from billing.models import BillingRun, Invoice, ParkedBill, Wallet
from billing.rating.facts import PricedPeriod
from billing.sales.prepaid import paid_by_wallet, settle_prepaid
from billing.sales.renewal import take_steps_due
from customers.models import Customer, Line, Subscription
from customers.models.subscriptions import SubscriptionQuerySet
from telcox.common.calendar import due_until
from telcox.common.database.batches import ALL, Share, in_chunks
from telcox.common.database.locking import lock_keys, lock_rows
from telcox.common.database.retrying import retry_lost_locks

ZERO = Decimal(0)


class BillingResult(NamedTuple):
    """Result of billing some periods: number of invoices issued and their sums in dollars, number of bills
    quarantined (`parked`), and the number and sums by the invoices' month (`by_month`)."""

    invoices: int = 0
    parked: int = 0
    subtotal: Decimal = ZERO
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    total: Decimal = ZERO
    by_month: Mapping[str, Sequence[int | str]] = MappingProxyType({})


def periods_to_bill(at: datetime) -> SubscriptionQuerySet:
    """Return the periods that have ended by `at`, have no invoice, and are not quarantined."""
    waiting = ParkedBill.objects.waiting().filter(subscription=OuterRef("pk"))
    return Subscription.objects.to_bill().ended(at).filter(~Exists(waiting))


def bill_ended_periods(*, at: datetime, share: Share = ALL) -> Iterator[BillingResult]:
    """Issue the invoice of every period that has ended by `at` and has none. Yield one result for each
    committed transaction.

    Safe to run twice, late, or in several places at once, and to be killed.
    """
    for keys in in_chunks(share.among(periods_to_bill(due_until(at))), "pk"):
        yield retry_lost_locks(partial(bill_periods, keys=keys, at=at))


@transaction.atomic
def bill_periods(
    *, keys: Sequence[int], at: datetime, run: BillingRun | None = None, by: str = ""
) -> BillingResult:
    """Issue the invoices of these periods, dated `at`. Skip periods that have an invoice or are quarantined.
    If the next period of a line is due, begin it first, so that it gets the usage that belongs to it.

    For a prepaid period, refund to the wallet the days on which the operator had suspended the line, and
    record the wallet's payments as payments of the invoice. Quarantine what cannot be billed or is
    suspicious, and bill the others. Raise DomainError if no document can be numbered.
    """
    take_steps_due(keys, at=due_until(at))
    periods = _locked(keys)
    bills, doubts = assess_bills(periods, at=due_until(at))
    _lock_wallets(bills)
    documents, failed = split_out_failures(partial(_charged, at=at), bills)
    doubts += [doubt_from_error(bill.period, problem) for bill, problem in failed]
    park_bills(doubts, at=at, run=run)
    invoices = _issue(documents, at=at, by=by)
    return BillingResult(len(invoices), len(doubts), *_sums(invoices), _by_month(invoices))


def _lock_wallets(bills: Sequence[PricedPeriod]) -> None:
    """Lock the wallets that settle prepaid periods together with those whose credit may pay post-paid ones:
    locked one kind after the other, they would not be in the order of their keys."""
    prepaid = {bill.period.line_id for bill in bills if bill.period.prepaid}
    others = {bill.period.line_id for bill in bills} - prepaid
    if prepaid and others:
        with_credit = Q(line__in=others, balance_usd__gt=0)
        lock_keys(Wallet.objects.filter(Q(line__in=prepaid) | with_credit))


def _sums(invoices: Sequence[Invoice]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return subtotal, discount, tax and total of these invoices."""
    subtotal, discount, tax, total = (
        sum((getattr(invoice, amount) for invoice in invoices), ZERO)
        for amount in ("subtotal", "discount", "tax", "total")
    )
    return subtotal, discount, tax, total


def _by_month(invoices: Sequence[Invoice]) -> dict[str, Sequence[int | str]]:
    of_month: defaultdict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        of_month[invoice.period].append(invoice)
    return {month: [len(some), *map(str, _sums(some))] for month, some in of_month.items()}


def _locked(keys: Sequence[int]) -> list[Subscription]:
    """Lock the periods and return those to bill. Quarantining and billing both lock the period, so what is
    read afterwards stays true."""
    periods = lock_rows(Subscription.objects.to_bill().filter(pk__in=keys))
    waiting = ParkedBill.objects.waiting().filter(subscription__in=[period.pk for period in periods])
    aside = set(waiting.values_list("subscription_id", flat=True))
    return [period for period in periods if period.pk not in aside]


@transaction.atomic
def _charged(bills: Sequence[PricedPeriod], *, at: datetime) -> list[Document]:
    """Settle prepaid periods with their wallets, record late usage as billed, and return drafts of these
    bills."""
    earlier = note_late_use(bills)
    settle_prepaid(bills, at=at)
    lines = Line.objects.in_bulk({bill.period.line_id for bill in bills})
    holders = Customer.objects.in_bulk({bill.period.customer_id for bill in bills})
    return [
        draft_of(
            bill,
            line=lines[bill.period.line_id],
            customer=holders[bill.period.customer_id],
            earlier=earlier,
        )
        for bill in bills
    ]


def _issue(documents: Sequence[Document], *, at: datetime, by: str) -> list[Invoice]:
    """Issue the drafts of locked periods, and mark the periods as billed."""
    invoices = [document.invoice for document in documents]
    if not invoices:
        return []
    periods = [invoice.subscription for invoice in invoices if invoice.subscription]
    Subscription.objects.filter(pk__in=[period.pk for period in periods]).update(unbilled=None)
    paid = paid_by_wallet([period for period in periods if period.prepaid])
    issue_documents(documents, series=settings.INVOICE_SERIES, payments=paid, at=at, by=by)
    return invoices


def invoiced_periods() -> QuerySet[Subscription]:
    """Return the periods whose invoice in force is issued, paid or not, and that have no draft."""
    invoices = Invoice.objects.filter(subscription=OuterRef("pk"))
    return Subscription.objects.filter(Exists(invoices.in_force().issued()), ~Exists(invoices.drafts()))
