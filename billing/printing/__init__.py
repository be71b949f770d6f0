"""Printing of documents as PDF: content (`page`), layout (document.typ), typesetting (`typesetting`) and
storage (`archive`). docs/printing.md."""

from billing.printing.archive import document_pdf, edition_name, file_name
from billing.printing.batch import documents_of_period, print_documents, to_print

__all__ = ["document_pdf", "documents_of_period", "edition_name", "file_name", "print_documents", "to_print"]
