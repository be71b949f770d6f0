"""Verify that everything sold, billed and paid follows the rules (`manage.py verify_billing`)."""

from collections.abc import Iterator

from billing.verification.credit import credit_faults
from billing.verification.documents import document_faults
from billing.verification.faults import Fault
from billing.verification.lines import line_faults
from billing.verification.spelling import spelling_faults
from billing.verification.taxes import tax_faults
from billing.verification.transfers import transfer_faults
from billing.verification.wallets import wallet_faults

__all__ = ["Fault", "find_faults"]


def find_faults() -> Iterator[Fault]:
    """Yield every fault of the spelling of numbers, of tax rates, of lines and their periods, of invoices and
    their numbers, of wallets, of bank transfers, and of credit, as it is found. Rows are read in batches,
    each as of one moment, so that memory is constant and other processes can go on writing."""
    yield from spelling_faults()
    yield from tax_faults()
    yield from line_faults()
    yield from document_faults()
    yield from wallet_faults()
    yield from transfer_faults()
    yield from credit_faults()
