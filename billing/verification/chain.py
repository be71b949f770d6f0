"""Verify a series: its documents have numbers without gaps and duplicates, and their seals form a hash chain.

The documents are read in the order of their numbers, and each one is verified by itself, too (proof.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from django.db.models import Min

from billing.models import Invoice, InvoiceSeries
from billing.models.series import LAST_NUMBER
from billing.verification.faults import Fault
from billing.verification.proof import ISSUED, Evidence, Proof, written
from telcox.common.database.consistent_read import consistent_read

# Numbers read together, as of one moment, so that memory is constant.
NUMBERS_AT_ONCE = 500


class Page(NamedTuple):
    """Documents that were verified together: how many, and their faults."""

    documents: int
    faults: Sequence[Fault]


@dataclass
class Chain:
    """Verification of one series. `noted` has seals that were noted outside of the database, by the printed
    number of their document; the seals of documents that are found are removed from it."""

    series: InvoiceSeries
    noted: dict[str, str] = field(default_factory=dict)
    proof: Proof = ISSUED
    documents: int = 0
    seal: str = ""
    # The first fault, and the number of wrong documents and places of the series.
    first: Fault | None = None
    wrong: int = 0
    # The last number read. A series begins at 1; documents with a lower number are read, too.
    _seen: int = -1

    @property
    def _last(self) -> int:
        return max(self._seen, 0)

    def walk(self) -> Iterator[Page]:
        """Verify the documents in the order of their numbers. Documents may be issued at the same time."""
        while (evidence := self._next()) is not None:
            yield Page(len(evidence), [fault for each in evidence for fault in self._prove(each)])
        yield Page(0, list(self._end()))

    def _next(self) -> list[Evidence] | None:
        with consistent_read():
            self.series.refresh_from_db()
            of_it = Invoice.objects.filter(series=self.series, number__gt=self._seen)
            first = of_it.aggregate(Min("number"))["number__min"]
            if first is None:
                return None
            numbers = of_it.filter(number__gte=first, number__lt=first + NUMBERS_AT_ONCE)
            return self.proof.read(numbers.order_by("number", "pk"))

    def _prove(self, evidence: Evidence) -> Iterator[Fault]:
        invoice = evidence.invoice
        invoice.series, number = self.series, invoice.number or 0
        if number > self._last + 1:
            yield from self._found(f"series {self.series}", [f"number {self._last + 1} is missing"])
        noted = self.noted.pop(written(invoice), invoice.content_hash)
        yield from self._found(
            self.proof.called.format(written(invoice)),
            chain(
                self._place_faults(number, invoice.previous_hash),
                self.proof.faults(evidence),
                ["its seal differs from the noted one"] if invoice.content_hash != noted else [],
            ),
        )
        # The next document is compared with the stored seal, so that one wrong document is one fault.
        self.documents, self.seal = self.documents + 1, invoice.content_hash or ""
        self._seen = number

    def _place_faults(self, number: int, before: str) -> Iterator[str]:
        if number == self._seen:
            yield "another document has this number"
        if number < 1:
            yield "its number is below 1, where a series begins"
        if number > LAST_NUMBER:
            yield "its number has more than nine digits"
        if before != self.seal:
            yield "it was not sealed after the document before it"

    def _end(self) -> Iterator[Fault]:
        if self.series.last_number != self._last:
            what = f"its last number is {self.series.last_number}, by its documents {self._last}"
            yield from self._found(f"series {self.series}", [what])
        elif self.series.last_hash != self.seal:
            yield from self._found(f"series {self.series}", ["its last seal is not its last document's"])

    def _found(self, of: str, whats: Iterable[str]) -> Iterator[Fault]:
        faults = [Fault(of, what) for what in whats]
        if faults:
            self.wrong, self.first = self.wrong + 1, self.first or faults[0]
        yield from faults
