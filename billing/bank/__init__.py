"""Import of bank statements: incoming transfers become payments (docs/finance.md)."""

from billing.bank.importing import ImportReport, import_statement
from billing.bank.transfers import assign_in_parts, assign_transfer, close_transfer, top_up_from_transfer

__all__ = [
    "ImportReport",
    "assign_in_parts",
    "assign_transfer",
    "close_transfer",
    "import_statement",
    "top_up_from_transfer",
]
