"""Worked cases: full periods, parts of them, and days that are not charged."""

from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from billing.rating import GB, Allowance, Discount, Span
from billing.tests.worked_cases.case import (
    MOVIL_30,
    NOVEMBER,
    Case,
    allowance,
    bill,
    data,
    month,
    nov,
    part,
    plan,
    used,
)

DECEMBER = month(2026, 12)
LEAP_FEBRUARY = month(2028, 2)
OVER_NEW_YEAR = Span(date(2026, 12, 15), date(2027, 1, 15), date(2026, 12, 15), date(2027, 1, 15))
MOVIL_15 = replace(MOVIL_30, plan_name="Móvil 15 GB", price=Decimal("16.00"), data_bytes=15 * GB)
MOVIL_5 = replace(MOVIL_30, plan_name="Móvil 5 GB", price=Decimal("10.00"), data_bytes=5 * GB)


def lost(*days: tuple[tuple[int, int], tuple[int, int]]) -> tuple[tuple[date, date], ...]:
    """Days of 2026 as (month, day), the second one the first that is charged again."""
    return tuple((date(2026, *first), date(2026, *resumed)) for first, resumed in days)


ALMOST_ALL = Discount("Casi todo", percent=Decimal("99.99"))
LOST_IN_DECEMBER = lost(((12, 6), (12, 16)), ((12, 20), (12, 21)))

FULL = [
    Case(
        "A month of 30 days",
        "All of November, 20 GB used.",
        "22.00 × 30/30 = 22.00",
        bill(NOVEMBER, used("20")),
        [plan("22.00", tax="3.30")],
        "25.30",
        includes=allowance("30", 600, 200),
    ),
    Case(
        "A month of 31 days",
        "All of December.",
        "22.00 × 31/31 = 22.00",
        bill(DECEMBER),
        [plan("22.00", tax="3.30")],
        "25.30",
        includes=allowance("30", 600, 200),
    ),
    Case(
        "A month of 28 days",
        "All of February 2026.",
        "22.00 × 28/28 = 22.00",
        bill(month(2026, 2)),
        [plan("22.00", tax="3.30")],
        "25.30",
    ),
    Case(
        "A period that is no month",
        "15 December to 14 January, 31 days.",
        "22.00 × 31/31 = 22.00",
        bill(OVER_NEW_YEAR),
        [plan("22.00", tax="3.30")],
        "25.30",
    ),
]

PARTS = [
    Case(
        "Sold within a month of 30 days",
        "Sold on 18 November: 13 days, 13 GB used.",
        "22.00 × 13/30 = 9.533 → 9.53, as 22.00 × 30/30 − 22.00 × 17/30 = 22.00 − 12.47",
        bill(nov(18, 30), used("13", minutes=260, sms=87)),
        [plan("9.53", tax="1.43")],
        "10.96",
        includes=allowance("13", 260, 87),
    ),
    Case(
        "The same, with 2 GB too many",
        "Sold on 18 November, 15 GB used.",
        "15 − 13 = 2 GB of overage",
        bill(nov(18, 30), used("15")),
        [plan("9.53", tax="1.43"), data("2", "1.00", "2.00", tax="0.30")],
        "13.26",
    ),
    Case(
        "Ended within a month of 31 days",
        "1 to 10 December.",
        "22.00 × 10/31 = 7.096 → 7.10; tax 7.10 × 15 % = 1.065 → 1.07",
        bill(part(DECEMBER, date(2026, 12, 1), date(2026, 12, 10))),
        [plan("7.10", tax="1.07")],
        "8.17",
    ),
    Case(
        "Sold within a month of 28 days",
        "Sold on 20 February 2026: 9 days.",
        "22.00 − 22.00 × 19/28 = 22.00 − 14.93",
        bill(part(month(2026, 2), date(2026, 2, 20), date(2026, 2, 28))),
        [plan("7.07", tax="1.06")],
        "8.13",
    ),
    Case(
        "Ended within a month of 29 days",
        "1 to 10 February 2028.",
        "22.00 × 10/29 = 7.586 → 7.59",
        bill(part(LEAP_FEBRUARY, date(2028, 2, 1), date(2028, 2, 10))),
        [plan("7.59", tax="1.14")],
        "8.73",
    ),
    Case(
        "29 February",
        "Sold on 29 February 2028: one day.",
        "22.00 − 22.00 × 28/29 = 22.00 − 21.24",
        bill(part(LEAP_FEBRUARY, date(2028, 2, 29), date(2028, 2, 29))),
        [plan("0.76", tax="0.11")],
        "0.87",
    ),
    Case(
        "The first day",
        "Ended after 1 November.",
        "22.00 × 1/30 = 0.733 → 0.73",
        bill(nov(1, 1)),
        [plan("0.73", tax="0.11")],
        "0.84",
        includes=allowance("1", 20, 6),
    ),
    Case(
        "The last day",
        "Sold on 30 November.",
        "22.00 − 22.00 × 29/30 = 22.00 − 21.27; 200 − 193 SMS",
        bill(nov(30, 30)),
        [plan("0.73", tax="0.11")],
        "0.84",
        includes=allowance("1", 20, 7),
    ),
    Case(
        "A third in the middle",
        "Móvil 5 GB, 10.00 a month, 11 to 20 November; the thirds before and after it cost 3.33.",
        "10.00 × 20/30 − 10.00 × 10/30 = 6.67 − 3.33",
        bill(nov(11, 20), plan=MOVIL_5),
        [plan("3.34", tax="0.50", name="Móvil 5 GB")],
        "3.84",
        includes=Allowance(1_789_569_707, 200, 67),
    ),
    Case(
        "Over the end of a year, the old one's days",
        "15 to 31 December: 17 of 31 days.",
        "22.00 × 17/31 = 12.064 → 12.06",
        bill(part(OVER_NEW_YEAR, date(2026, 12, 15), date(2026, 12, 31))),
        [plan("12.06", tax="1.81")],
        "13.87",
    ),
    Case(
        "Over the end of a year, the new one's days",
        "1 to 14 January: 14 of 31 days.",
        "22.00 − 12.06 = 9.94",
        bill(part(OVER_NEW_YEAR, date(2027, 1, 1), date(2027, 1, 14))),
        [plan("9.94", tax="1.49")],
        "11.43",
    ),
    Case(
        "Another plan from 11 December, the old one",
        "Móvil 15 GB, 16.00 a month, 1 to 10 December.",
        "16.00 × 10/31 = 5.161 → 5.16",
        bill(part(DECEMBER, date(2026, 12, 1), date(2026, 12, 10)), plan=MOVIL_15),
        [plan("5.16", tax="0.77", name="Móvil 15 GB")],
        "5.93",
    ),
    Case(
        "Another plan from 11 December, the new one",
        "Móvil 30 GB, 11 to 31 December.",
        "22.00 − 22.00 × 10/31 = 22.00 − 7.10; tax 14.90 × 15 % = 2.235 → 2.24",
        bill(part(DECEMBER, date(2026, 12, 11), date(2026, 12, 31))),
        [plan("14.90", tax="2.24")],
        "17.14",
    ),
    Case(
        "No day at all",
        "Sold and given back before the first day was over.",
        "0 days",
        bill(Span(date(2026, 11, 1), date(2026, 11, 1), NOVEMBER.start, NOVEMBER.end)),
        [plan("0.00", tax="0.00")],
        "0.00",
        includes=allowance(),
    ),
]

SUSPENDED = [
    Case(
        "Some days",
        "Suspended by the operator from 11 to 15 November; 30 GB used on the others.",
        "22.00 × 10/30 = 7.33, and 22.00 − 22.00 × 15/30 = 11.00; the allowance stays whole",
        bill(NOVEMBER, used("30"), lost=lost(((11, 11), (11, 16)))),
        [plan("18.33", tax="2.75")],
        "21.08",
        includes=allowance("30", 600, 200),
    ),
    Case(
        "The whole month",
        "Suspended by the operator from October to December.",
        "no day is charged",
        bill(NOVEMBER, lost=lost(((10, 1), (12, 31)))),
        [plan("0.00", tax="0.00")],
        "0.00",
    ),
    Case(
        "Suspensions that overlap",
        "25 October to 3 November, 1 November again, 3 to 5 November, and from 29 November on: "
        "6 to 28 November is charged.",
        "22.00 × 28/30 − 22.00 × 5/30 = 20.53 − 3.67",
        bill(
            NOVEMBER,
            lost=lost(((11, 29), (12, 10)), ((10, 25), (11, 4)), ((11, 1), (11, 2)), ((11, 3), (11, 6))),
        ),
        [plan("16.86", tax="2.53")],
        "19.39",
    ),
    Case(
        "Suspensions about a change of plan, the old plan",
        "Móvil 15 GB, 16.00 a month, until 10 December; suspended by the operator from 6 to 15 and on 20 "
        "December: 1 to 5 is charged.",
        "16.00 × 5/31 = 2.580 → 2.58",
        bill(part(DECEMBER, date(2026, 12, 1), date(2026, 12, 10)), plan=MOVIL_15, lost=LOST_IN_DECEMBER),
        [plan("2.58", tax="0.39", name="Móvil 15 GB")],
        "2.97",
    ),
    Case(
        "Suspensions about a change of plan, the new plan",
        "Móvil 30 GB from 11 December: 16 to 19 and 21 to 31 are charged.",
        "22.00 × 19/31 − 22.00 × 15/31 = 13.48 − 10.65 = 2.83; 22.00 − 22.00 × 20/31 = 22.00 − 14.19 = 7.81",
        bill(part(DECEMBER, date(2026, 12, 11), date(2026, 12, 31)), lost=LOST_IN_DECEMBER),
        [plan("10.64", tax="1.60")],
        "12.24",
    ),
    Case(
        "All used, with lost days, and cut a day early",
        "Suspended by the operator from 5 to 24 November; 30 GB used; the plan changed on 30 November.",
        "22.00 × 4/30 = 2.93, and 22.00 − 22.00 × 24/30 = 22.00 − 17.60 = 4.40: the whole month would cost "
        "7.33, all of it is used",
        bill(nov(1, 29), used("30"), lost=lost(((11, 5), (11, 25)))),
        [plan("7.33", tax="1.10")],
        "8.43",
    ),
    Case(
        "Half used, with lost days, and cut",
        "Suspended by the operator from 1 to 10 November; 15 of 30 GB used; ended on 12 November.",
        "the whole month would cost 22.00 − 7.33 = 14.67; half of it is 7.335 → 7.33; 2 days are 1.47",
        bill(nov(1, 12), used("15"), lost=lost(((11, 1), (11, 11)))),
        [plan("7.33", tax="1.10")],
        "8.43",
    ),
    Case(
        "Almost all discounted, used up, and cut",
        "60.00 a month with 99.99 % off; all used; the plan changed on 10 November.",
        "a whole month leaves 60.00 − 59.99 = 0.01; no fee is more than 60.00, of which as much is left",
        bill(nov(1, 9), used("30"), plan=replace(MOVIL_30, price=Decimal("60.00")), discounts=(ALMOST_ALL,)),
        [plan("60.00", less="59.99", tax="0.00")],
        "0.01",
    ),
]
