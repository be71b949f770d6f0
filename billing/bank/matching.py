"""Find the invoice that a transfer pays. No database, no clock, no settings.

1. The text names one of our documents: that document, whatever the amount. It names several, and exactly the
   amount is owed on them together: these documents.
2. Otherwise it names a phone number or an identity: of the open invoices there, the one on which exactly this
   amount is owed.
3. Otherwise, if exactly one invoice is open there: that one.

If the text can be read in two ways, or two invoices are possible, none is chosen: the result is SEVERAL, and
a clerk decides. An amount that is exactly what is owed decides between readings, too.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from billing.bank.amounts import straight
from billing.models import BankProblem
from telcox.common.phone import InvalidPhoneNumber, phone_numbers_in, subscriber_number


class Series(NamedTuple):
    """How the numbers of a series are written. `key` is the primary key of the InvoiceSeries."""

    key: int
    prefix: str
    pattern: str


class Clues(NamedTuple):
    """What a transfer's text names: documents (key of the series, number), phone numbers in national form,
    and identities (DNI or RUC; for a RUC also the DNI that it begins with). `may_name_more`: a number follows
    that could be another document's, as in `001-001-000000001/2`."""

    documents: frozenset[tuple[int, int]]
    phone_numbers: frozenset[str]
    identities: frozenset[str]
    may_name_more: bool = False


class Owed(NamedTuple):
    """Amount owed on an invoice, in dollars; 0 or negative if nothing is owed."""

    key: int
    amount: Decimal


def clues_in(text: str, series: Iterable[Series]) -> Clues:
    """Read the text. Kinds of dashes, of digits and of blanks make no difference, nor do invisible
    characters."""
    text = straight("".join(each for each in text if unicodedata.category(each) != "Cf"))
    identities = [found.replace("-", "") for found in _IDENTITY.findall(text)]
    persons = [found[:10] for found in identities if len(found) == 10 or found[10:12] == "00"]
    documents = {(each.key, number): more for each in series for number, more in _numbers_in(text, each)}
    return Clues(
        frozenset(documents),
        frozenset(_phone_numbers_in(text)),
        frozenset([*identities, *persons]),
        any(documents.values()),
    )


def _phone_numbers_in(text: str) -> Iterator[str]:
    yield from phone_numbers_in(text)
    for bare in _BARE_NUMBER.findall(text):
        try:
            yield subscriber_number(bare)
        except InvalidPhoneNumber:
            continue


def choose_invoice(
    amount: Decimal, named: Sequence[Owed], open_there: Sequence[Owed]
) -> Owed | tuple[Owed, ...] | BankProblem:
    """Choose by the rules above. `named` are the invoices that the text names, `open_there` the open ones of
    the phone numbers and identities in it. Return the invoice, several that are owed the amount together, or
    why there is none."""
    owed = tuple(each for each in named if each.amount > 0)
    if len(named) > 1 and sum(each.amount for each in owed) == amount:
        return owed if len(owed) > 1 else owed[0]
    candidates = named or [owed for owed in open_there if owed.amount == amount] or open_there
    if not candidates:
        return BankProblem.NO_INVOICE
    if len(candidates) > 1:
        return BankProblem.SEVERAL
    return candidates[0] if candidates[0].amount > 0 else BankProblem.NOTHING_OWED


# A mobile number without its trunk prefix, as payers write it, too: 969786985.
_BARE_NUMBER = re.compile(r"(?<![0-9])9[0-9]{8}(?![0-9])")
# Of a person or a company, also as 092966884-6 and 0929668846-001.
_IDENTITY = re.compile(r"(?<![0-9])[0-9]{9}-?[0-9](?:-?[0-9]{3})?(?![0-9])")
# Characters that may stand where a printed number has a mark.
_GAP = r"[\s./:|*#·•°~_-]*"


# What joins a second number to a document's.
_JOINED = re.compile(
    r"\s*(?:[,;/&+-]|\b(?:y|e|a|al|hasta|and)\b)\s*(?P<number>[0-9]{1,9})(?![0-9])", re.IGNORECASE
)
# An amount or a day follows 001-001- in 001-001-17.50 and 001-001-28/11/2026.
_GOES_ON = re.compile(r"[.,:/-][0-9]")


def _numbers_in(text: str, series: Series) -> Iterator[tuple[int, bool]]:
    """Yield the numbers in the text that are written as the series prints them, with other marks or none;
    also with fewer zeros, if a mark shows where the number begins. The second number of `001-001-000000001 y
    000000002` is one as well. Yield with each whether it is followed by what may be another."""
    written, printed = _written(series)
    for found in written.finditer(text):
        digits = found["number"].replace(" ", "")
        number, in_full = int(digits), digits == printed.format(number=int(digits))
        if not in_full and (not found["gap"] or _GOES_ON.match(text, found.end())):
            continue
        joined = _JOINED.match(text, found.end())
        while joined and joined["number"] == printed.format(number=int(joined["number"])):
            yield int(joined["number"]), False
            joined = _JOINED.match(text, joined.end())
        yield number, joined is not None and not _GOES_ON.match(text, joined.end())


@cache
def _written(series: Series) -> tuple[re.Pattern[str], str]:
    """Return a regular expression that finds a number, and the part of the pattern that prints it."""
    before, printed, after = re.split(r"(\{number[^}]*\})", series.pattern)
    front, back = (_loosely(part.format(prefix=series.prefix)) for part in (before, after))
    end = f"{_GAP}{back}" if back else ""
    # 0000 00017: a number with zeros in front may have blanks, where its width is known.
    width = re.fullmatch(r"\{number:0([0-9]+)d\}", printed)
    spread = f"00(?: ?[0-9]){{{int(width[1]) - 2}}}(?! ?[0-9])|" if width and int(width[1]) > 2 else ""
    digits = rf"(?P<number>{spread}[0-9]{{1,18}})"
    expression = rf"(?<![0-9])(?<![0-9][.,]){front}(?P<gap>{_GAP}){digits}{end}(?![0-9])"
    return re.compile(expression, re.IGNORECASE), printed


def _loosely(text: str) -> str:
    return _GAP.join(re.findall(r"\w+", text))
