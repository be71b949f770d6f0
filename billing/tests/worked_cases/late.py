"""Worked cases: use that arrives after its period was billed, on the next bill."""

from decimal import Decimal
from typing import Any

from billing.rating import LateUse, RatingInputs, Used
from billing.rating.late_charges import charged_late
from billing.tests.late import billed_by, with_use
from billing.tests.worked_cases.case import (
    Case,
    bill,
    data,
    dollars,
    month,
    nov,
    percent,
    plan,
    used,
    voice,
)

DECEMBER = month(2026, 12)
FEE = plan("22.00", tax="3.30")


def december(november: RatingInputs, all_used: Used, **changes: Any) -> RatingInputs:
    """The next bill, when of November, which was billed as it is given, all this is known to be used."""
    charges = charged_late(with_use(november, all_used).rate(), billed_by(november.rate().lines))
    return bill(DECEMBER, late=(LateUse(1, "2026-11", 1, charges),), **changes)


LATE_USE = [
    Case(
        "More than was left",
        "November was billed with 29 GB; then 3.5 GB of it arrive.",
        "32.5 − 30 = 2.5 GB of overage in November",
        december(bill(used=used("29")), used("32.5")),
        [FEE, data("2.5", "1.00", "2.50", tax="0.38")],
        "28.18",
    ),
    Case(
        "No more than was left",
        "November was billed with 20 GB; then 10 GB of it arrive.",
        "30 of 30 GB: nothing is charged",
        december(bill(used=used("20")), used("30")),
        [FEE],
        "25.30",
    ),
    Case(
        "The difference of two roundings",
        "November was billed with 30.504 GB; then 0.002 GB of it arrive, and a minute of overage.",
        "0.506 GB are 0.51, less 0.50 that was billed: 0.01, though 0.002 GB alone would be nothing; "
        "tax 0.0015 → 0.00, and 0.0075 → 0.01",
        december(bill(used=used("30.504", minutes=600)), used("30.506", minutes=601)),
        [FEE, data("0.002", "1.00", "0.01", tax="0.00"), voice("1", "0.05", "0.05", tax="0.01")],
        "25.37",
    ),
    Case(
        "Each period's own discounts",
        "November had 10 % off, and was billed with 30 GB; then 2 GB of it arrive. December has 1.00 off.",
        "2.00 − 10 % = 1.80; tax 0.27. December's dollar is for December: 22.00 − 1.00",
        december(
            bill(used=used("30"), discounts=(percent("Loyalty", "10"),)),
            used("32"),
            discounts=(dollars("Christmas", "1.00"),),
        ),
        [plan("22.00", less="1.00", tax="3.15"), data("2", "1.00", "2.00", less="0.20", tax="0.27")],
        "26.22",
    ),
    Case(
        "What was left of a discount",
        "Staff had given 24.00 for November, which was billed with 20 GB: 2.00 of it were left. 35 GB were "
        "used.",
        "5 GB, less the 2.00; tax of 3.00",
        december(bill(used=used("20"), extra_discount=Decimal("24.00")), used("35")),
        [FEE, data("5", "1.00", "5.00", less="2.00", tax="0.45")],
        "28.75",
    ),
    Case(
        "Each period's own spend limit",
        "The limit is 4.00. November was billed with 33 GB; 39 were used.",
        "Of November's 4.00, 1.00 is left: 1 GB. December's 4.00 are untouched",
        december(
            bill(used=used("33"), spend_limit=Decimal("4.00")),
            used("39"),
            used=used("34"),
            spend_limit=Decimal("4.00"),
        ),
        [FEE, data("4", "1.00", "4.00", tax="0.60"), data("1", "1.00", "1.00", tax="0.15")],
        "31.05",
    ),
    Case(
        "Of a period that was cut",
        "1 to 3 November were billed with 1 GB, for a change of plan; 24 GB were used.",
        "22.00 × 24/30 = 17.60, less 22.00 × 3/30 = 2.20 that was billed",
        december(bill(nov(1, 3), used("1")), used("24")),
        [FEE, plan("15.40", tax="2.31")],
        "43.01",
    ),
]
