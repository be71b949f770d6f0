"""Bills worked by hand, for the tests and for docs/rating.md."""

from billing.tests.worked_cases.case import Case
from billing.tests.worked_cases.late import LATE_USE
from billing.tests.worked_cases.money import DISCOUNTS, SPEND_LIMIT, TAX
from billing.tests.worked_cases.periods import FULL, PARTS, SUSPENDED
from billing.tests.worked_cases.use import BEYOND, CUT_SHORT, PACKS, ROLLOVER

CHAPTERS = {
    "A full period": FULL,
    "A part of a period": PARTS,
    "Suspended by the operator": SUSPENDED,
    "Beyond the allowance": BEYOND,
    "Packs": PACKS,
    "Cut short": CUT_SHORT,
    "Rollover": ROLLOVER,
    "Late use": LATE_USE,
    "Discounts": DISCOUNTS,
    "The spend limit": SPEND_LIMIT,
    "Tax, and half cents": TAX,
}
CASES: list[Case] = [case for chapter in CHAPTERS.values() for case in chapter]
