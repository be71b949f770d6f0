"""What is still to be paid on a document."""

from decimal import Decimal


def outstanding_of(*, total: Decimal, credited: Decimal, paid: Decimal, is_note: bool) -> Decimal:
    """Return what is still to be paid on a document, in dollars: its total less what was credited and paid.

    It is never negative: what was paid and then credited is on the wallet, and lowers no other debt. Nothing
    is paid on a credit note. `billing.models.owed` has the same formula for queries.
    """
    return Decimal(0) if is_note else max(Decimal(0), total - credited - paid)
