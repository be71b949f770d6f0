"""Billing the periods that have ended."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from billing.documents import draft_of, note_issued, number, payments_of_wallets, save_documents
from billing.models import Payment
from billing.notices.queueing import documents_to_mail
from billing.sales.facts import priced
from billing.sales.late import note_late_use
from billing.sales.periods import ALL, Share, in_chunks, in_pieces
from billing.sales.settlement import paid_for, settle
from customers.models import Line, Subscription


class Billed(NamedTuple):
    """How many invoices were issued, what they are in all, and how many periods could not be billed."""

    invoices: int = 0
    total: Decimal = Decimal(0)
    refused: int = 0


def periods_to_bill(at: datetime) -> QuerySet[Subscription]:
    return Subscription.objects.to_bill().ended(at)


def bills(*, at: datetime, share: Share = ALL) -> Iterator[Billed]:
    """Issues the invoice of every period that has ended by `at` and has none. Each committed transaction is
    one step.

    Of what was prepaid, days that the operator took are given back to the wallet, and the wallet's payments
    are the invoice's. A period that cannot be billed is logged by its key and tried again the next time. Safe
    to run twice, late, or in several places at once, and to be killed.
    """
    for keys in in_chunks(share.among(periods_to_bill(at)), "pk"):
        for billed in in_pieces(partial(_bill, at=at), keys, "billed"):
            yield billed or Billed(refused=1)


@transaction.atomic
def _bill(keys: Sequence[int], at: datetime) -> Billed:
    periods = list(Subscription.objects.select_for_update().to_bill().filter(pk__in=keys).order_by("pk"))
    if not periods:
        return Billed()
    found = priced(periods, at=at)
    earlier = note_late_use(found)
    settle(found, at=at)
    lines = Line.objects.select_related("customer").in_bulk({period.line_id for period in periods})
    documents = []
    for bill in found:
        line = lines[bill.period.line_id]
        documents.append(draft_of(bill, line=line, customer=line.customer, earlier=earlier))
    number(documents, prefix=settings.INVOICE_SERIES, at=at)
    invoices = [document.invoice for document in documents]
    payments = payments_of_wallets(invoices, paid_for([p for p in periods if p.prepaid]), at)
    save_documents(documents)
    note_issued(invoices, at=at)
    documents_to_mail(invoices, at=at)
    Payment.objects.bulk_create(payments)
    Subscription.objects.filter(pk__in=[period.pk for period in periods]).update(unbilled=None)
    return Billed(len(invoices), sum((invoice.total for invoice in invoices), Decimal(0)))
