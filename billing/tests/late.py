"""What was billed, as late use is reckoned from it."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from billing.rating import LateCharge, RatedLine, RatingInputs, Used
from billing.rating.late_charges import NOT_BILLED, BilledUnit


def billed_by(lines: Iterable[RatedLine | LateCharge]) -> dict[str, BilledUnit]:
    billed: dict[str, BilledUnit] = defaultdict(lambda: NOT_BILLED)
    for line in lines:
        billed[line.unit] = billed[line.unit].with_(line.quantity, line.amount, line.discount)
    return billed


def with_use(bill: RatingInputs, used: Used) -> RatingInputs:
    return replace(bill, used=used)
