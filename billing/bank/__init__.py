"""Import of bank statements: incoming transfers become payments (docs/finance.md)."""

from billing.bank.importing import ImportReport, import_statement
from billing.bank.transfers import assign_transfer

__all__ = ["ImportReport", "assign_transfer", "import_statement"]
