"""Documents as PDF: what is printed (`page`), how it looks (document.typ), who makes it (`typesetting`), and
where it is kept (`archive`). docs/printing.md."""

from billing.printing.archive import document_pdf, edition, file_name
from billing.printing.batch import documents_of, prints, to_print

__all__ = ["document_pdf", "documents_of", "edition", "file_name", "prints", "to_print"]
