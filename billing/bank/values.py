"""What reading a bank statement takes and gives: the layout, the rows, and why a row is bad."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# Length of the references of payments, wallet entries and transfers.
REFERENCE_MAX = 64


class RowFault(TextChoices):
    """Why a row is bad: it cannot be read, it is not money that came, or its reference is that of another
    transfer."""

    NO_HEADING = "NO_HEADING", _("No row has headings for date, amount and reference")
    NOT_CSV = "NOT_CSV", _("The file is a workbook, a PDF or a web page: save it as CSV first")
    UNCLEAR_AMOUNT = (
        "UNCLEAR_AMOUNT",
        _("It is not clear which column has the amounts: name it by its heading"),
    )
    NO_DAY = "NO_DAY", _("The date is missing or is not written as 28/11/2026 or 2026-11-28")
    WRONG_DAY = "WRONG_DAY", _("The date is in the future or years ago: correct it")
    NO_AMOUNT = "NO_AMOUNT", _("The amount is missing")
    AMBIGUOUS = "AMBIGUOUS", _("The amount is ambiguous: choose the decimal mark")
    UNCLEAR = "UNCLEAR", _("It is not clear whether the money came or went")
    OTHER_CURRENCY = "OTHER_CURRENCY", _("The currency is not the US dollar")
    NOT_BOOKED = "NOT_BOOKED", _("The bank has not booked it: it is pending, rejected or taken back")
    NO_REFERENCE = "NO_REFERENCE", _("The reference is missing or is longer than 64 characters")
    DESTROYED = (
        "DESTROYED",
        _("A spreadsheet has destroyed the reference: export the file again, with this column as text"),
    )
    OTHER_CELLS = (
        "OTHER_CELLS",
        _("The cells are not those of the heading: a text or an amount in it has the column separator"),
    )
    OPEN_QUOTE = "OPEN_QUOTE", _("A quotation mark is not closed")
    OTHER_TRANSFER = "OTHER_TRANSFER", _("Another transfer has this reference")


class File(Protocol):
    """The part of a binary file's interface that is used."""

    def readline(self, limit: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StatementLayout:
    """How to read a file: more names of columns (our name to the bank's names, separated by |), and the
    separator and decimal mark where the file leaves them open. A name given for the amount decides between
    columns that could be it."""

    names: Mapping[str, str] = field(default_factory=dict)
    separator: str = ""
    decimal: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Incoming money, `amount` in dollars. The reference has no blanks: only TelcoX's own references have.

    `concept` and `payer` are blank where the cells are, or where the file has no such columns. `cells` is
    the whole row.
    """

    row: int
    reference: str
    amount: Decimal
    paid_on: date
    concept: str
    payer: str
    cells: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Debit:
    """Outgoing money, which is only counted."""

    row: int


@dataclass(frozen=True, slots=True)
class BadRow:
    row: int
    fault: RowFault


Row = Transfer | Debit | BadRow


class Unreadable(Exception):
    """A row, or the whole file, cannot be read."""

    def __init__(self, fault: RowFault) -> None:
        super().__init__(fault)
        self.fault = fault
