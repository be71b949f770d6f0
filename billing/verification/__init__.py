"""Whether what was sold, billed and paid is as the rules want it, whatever happened to it."""

from collections.abc import Iterator

from billing.verification.documents import document_faults
from billing.verification.faults import Fault
from billing.verification.lines import line_faults
from billing.verification.wallets import wallet_faults

__all__ = ["Fault", "find_faults"]


def find_faults() -> Iterator[Fault]:
    """Everything that is wrong, as it is found: with lines and their periods, with invoices and their
    numbers, with wallets. Each part is read as of one moment, while things may go on happening, and memory
    stays the same however many there are."""
    yield from line_faults()
    yield from document_faults()
    yield from wallet_faults()
