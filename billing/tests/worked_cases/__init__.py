"""Bills worked by hand, for the tests and for docs/rating.md."""

from billing.tests.worked_cases.case import Case
from billing.tests.worked_cases.late import LATE_USE
from billing.tests.worked_cases.money import DISCOUNTS, SPEND_LIMIT, TAX
from billing.tests.worked_cases.periods import FULL, PARTS, SUSPENDED
from billing.tests.worked_cases.use import BEYOND, CUT_SHORT, PACKS, ROLLOVER

CHAPTERS = {
    "A full period": FULL,
    "Proration: a part of a period": PARTS,
    "Suspended by the operator": SUSPENDED,
    "Overage": BEYOND,
    "Packs": PACKS,
    "Periods that are cut short": CUT_SHORT,
    "Rollover": ROLLOVER,
    "Late usage": LATE_USE,
    "Discounts": DISCOUNTS,
    "The spending limit": SPEND_LIMIT,
    "Tax and rounding": TAX,
}
CASES: list[Case] = [case for chapter in CHAPTERS.values() for case in chapter]
