"""PDF rendering, in a process that does nothing else."""

import time

import django


def documents_printed_per_second(wanted: int) -> float:
    """Return the rate for the newest documents. Their PDFs are not stored, and none was rendered before."""
    django.setup()
    from billing.models import Invoice
    from billing.printing import to_print
    from billing.printing.page import printed_page
    from billing.printing.typesetting import typeset_page

    documents = list(to_print(Invoice.objects.issued().order_by("-pk"))[:wanted])
    begin = time.perf_counter()
    for document in documents:
        assert document.issued_at
        typeset_page(printed_page(document), at=document.issued_at)
    return len(documents) / (time.perf_counter() - begin)
