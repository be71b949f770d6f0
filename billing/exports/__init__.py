"""Exports of documents and payments for finance (docs/finance.md)."""

from billing.exports.files import csv_of, write_xlsx
from billing.exports.selection import Selection, Totals, totals_of
from billing.exports.tables import Table, documents_table, payments_table

__all__ = [
    "Selection",
    "Table",
    "Totals",
    "csv_of",
    "documents_table",
    "payments_table",
    "totals_of",
    "write_xlsx",
]
