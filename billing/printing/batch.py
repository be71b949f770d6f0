"""Printing of all documents of a period in advance."""

from collections.abc import Iterator

from django.db.models.functions import Mod

from billing.models import Invoice
from billing.models.invoices import InvoiceQuerySet
from billing.printing.archive import document_pdf
from telcox.common.database.batches import ALL, Share

# Documents read at once.
CHUNK = 200


def documents_of_period(period: str) -> InvoiceQuerySet:
    return Invoice.objects.issued().filter(period=period)


def to_print(documents: InvoiceQuerySet) -> InvoiceQuerySet:
    """Return the documents with all rows that printing reads."""
    return documents.select_related("series", "issuer", "corrects__series").prefetch_related("lines")


def print_documents(period: str, *, share: Share = ALL) -> Iterator[int]:
    """Print every document of the period, or a share of them, that is not stored yet. Yield the number of
    documents processed, a chunk at a time."""
    documents = documents_of_period(period).order_by("pk")
    if share.of > 1:
        documents = documents.annotate(share=Mod("pk", share.of)).filter(share=share.number)
    last = 0
    while chunk := list(to_print(documents.filter(pk__gt=last))[:CHUNK]):
        for invoice in chunk:
            document_pdf(invoice)
        last = chunk[-1].pk
        yield len(chunk)
