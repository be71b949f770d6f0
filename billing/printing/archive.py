"""Storage of printed documents (STORAGES["documents"])."""

import hashlib
import logging
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import storages
from django.utils.text import get_valid_filename

from billing.models import Invoice
from billing.printing.page import printed_page
from billing.printing.typesetting import typeset_page

logger = logging.getLogger(__name__)

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def document_pdf(invoice: Invoice) -> bytes:
    """Return the document as PDF. It is made when it is first requested and stored; later requests get the
    same bytes. A draft is made each time, and is marked as a draft across the page.

    It reads the invoice's series, issuer, lines and, of a credit note, `corrects`: fetch those beforehand to
    print many (`billing.printing.batch`).
    """
    if invoice.is_draft:
        return _made(invoice)
    return stored_pdf(invoice) or store_pdf(invoice, _made(invoice))


def edition_name(invoice: Invoice) -> str:
    """Return the name of an issued document's bytes: the edition it is printed in, and its seal."""
    return f"{_edition()}/{(invoice.content_hash or '')[:2]}/{invoice.content_hash}"


def file_name(invoice: Invoice) -> str:
    """Return the file name for downloads: 001-001-000000017.pdf."""
    return get_valid_filename(f"{invoice.full_number or f'{invoice.phone_number}-{invoice.period}'}.pdf")


def stored_pdf(invoice: Invoice) -> bytes | None:
    try:
        with storages["documents"].open(f"{edition_name(invoice)}.pdf") as file:
            # An empty file may be left after a power failure: treat it as missing.
            return file.read() or None
    except OSError:
        return None


def store_pdf(invoice: Invoice, pdf: bytes) -> bytes:
    """Store the PDF and return it. If storing fails, a warning is logged, and it is made again next time."""
    try:
        storages["documents"].save(f"{edition_name(invoice)}.pdf", File(BytesIO(pdf)))
    except OSError as error:
        logger.warning("printed document could not be stored: %s", error.strerror)
    return pdf


def _made(invoice: Invoice) -> bytes:
    return typeset_page(printed_page(invoice), at=invoice.issued_at or _NEVER)


@cache
def _edition() -> str:
    """Return a digest of all that decides how a document looks: the files of this package, and the versions
    of typst and segno."""
    digest = hashlib.sha256(f"{version('typst')} {version('segno')}".encode())
    for source in sorted(Path(__file__).parent.glob("*.*")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
