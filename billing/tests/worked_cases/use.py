"""Worked cases: use beyond the allowance, packs, and what goes to the next period."""

from decimal import Decimal

from msgspec.structs import replace

from billing.rating import GB, Used
from billing.tests.worked_cases.case import (
    MOVIL_30,
    NOVEMBER,
    Case,
    allowance,
    bill,
    data,
    nov,
    pack,
    pack_of,
    plan,
    sms,
    used,
    voice,
)

FEE = plan("22.00", tax="3.30")
STARTED_GB = replace(MOVIL_30, overage_per_started_gb=True)
BY_THE_SECOND = replace(MOVIL_30, overage_per_started_minute=False)
HALF_ROLLS_OVER = replace(MOVIL_30, rollover_share=Decimal("0.5"))
FIVE_GB = pack_of("5 GB", "4.00", "5")

BEYOND = [
    Case(
        "GB, exactly",
        "32.5 GB used.",
        "32.5 − 30 = 2.5 GB; tax 2.50 × 15 % = 0.375 → 0.38",
        bill(used=used("32.5")),
        [FEE, data("2.5", "1.00", "2.50", tax="0.38")],
        "28.18",
    ),
    Case(
        "GB, started ones",
        "32.5 GB used, of a plan that charges started GBs.",
        "2.5 GB → 3",
        bill(used=used("32.5"), plan=STARTED_GB),
        [FEE, data("3", "1.00", "3.00", tax="0.45")],
        "28.75",
    ),
    Case(
        "A byte too many, exactly",
        "30 GB and one byte used.",
        "0.0000000009 GB → 0.000000: nothing",
        bill(used=Used(social_bytes=30 * GB, navigation_search_bytes=1)),
        [FEE],
        "25.30",
    ),
    Case(
        "A byte too many, started GBs",
        "30 GB and one byte used.",
        "one GB was started",
        bill(used=Used(social_bytes=30 * GB, navigation_search_bytes=1), plan=STARTED_GB),
        [FEE, data("1", "1.00", "1.00", tax="0.15")],
        "26.45",
    ),
    Case(
        "Minutes, started ones",
        "610 minutes and one second spoken.",
        "10 minutes and 1 second of overage → 11 minutes; tax 0.0825 → 0.08",
        bill(used=used(minutes=610, seconds=1)),
        [FEE, voice("11", "0.05", "0.55", tax="0.08")],
        "25.93",
    ),
    Case(
        "Minutes, by the second",
        "610 minutes and one second spoken, of a plan that charges by the second.",
        "601 s / 60 = 10.016667 minutes; × 0.05 = 0.5008 → 0.50; tax 0.075 → 0.08",
        bill(used=used(minutes=610, seconds=1), plan=BY_THE_SECOND),
        [FEE, voice("10.016667", "0.05", "0.50", tax="0.08")],
        "25.88",
    ),
    Case(
        "Messages",
        "203 messages sent.",
        "3 messages of overage; tax 0.0225 → 0.02",
        bill(used=used(sms=203)),
        [FEE, sms("3", "0.05", "0.15", tax="0.02")],
        "25.47",
    ),
    Case(
        "All three",
        "32.5 GB, 610 minutes, 203 messages.",
        "2.5 GB, 10 minutes and 3 messages of overage",
        bill(used=used("32.5", minutes=610, sms=203)),
        [
            FEE,
            data("2.5", "1.00", "2.50", tax="0.38"),
            voice("10", "0.05", "0.50", tax="0.08"),
            sms("3", "0.05", "0.15", tax="0.02"),
        ],
        "28.93",
    ),
    Case(
        "Zero-rated social networks",
        "40 GB of social networks, which the plan does not count, 25 of films, 6 of browsing.",
        "25 + 6 = 31 GB; 1 GB of overage",
        bill(
            used=Used(social_bytes=40 * GB, entertainment_bytes=25 * GB, navigation_search_bytes=6 * GB),
            plan=replace(MOVIL_30, zero_rated_social=True),
        ),
        [FEE, data("1", "1.00", "1.00", tax="0.15")],
        "26.45",
    ),
    Case(
        "A hard stop",
        "50 GB used of a plan whose data stops, and 605 minutes.",
        "no data is charged; 5 minutes are; tax 0.0375 → 0.04",
        bill(used=used("50", minutes=605), plan=replace(MOVIL_30, data_stops=True)),
        [FEE, voice("5", "0.05", "0.25", tax="0.04")],
        "25.59",
    ),
    Case(
        "No price for it",
        "50 GB used of a plan whose overage price for data is 0.",
        "20 GB × 0.00: no line",
        bill(used=used("50"), plan=replace(MOVIL_30, overage_price_per_gb=Decimal(0))),
        [FEE],
        "25.30",
    ),
    Case(
        "Prepaid",
        "50 GB, 700 minutes and 300 messages on a prepaid line.",
        "a prepaid line stops at its allowance",
        bill(used=used("50", minutes=700, sms=300), prepaid=True),
        [FEE],
        "25.30",
    ),
]

PACKS = [
    Case(
        "A pack that is enough",
        "34 GB used, and a pack of 5 GB bought for 4.00.",
        "30 + 5 = 35 GB",
        bill(used=used("34"), packs=(FIVE_GB,)),
        [FEE, pack("5 GB", "4.00", tax="0.60")],
        "29.90",
    ),
    Case(
        "Several packs, and more than they hold",
        "38 GB and 690 minutes used; packs of 5 GB, 1 GB and 100 minutes.",
        "38 − 30 − 5 − 1 = 2 GB of overage; 690 of 700 minutes; tax of 1.50 is 0.225 → 0.23",
        bill(
            used=used("38", minutes=690),
            packs=(FIVE_GB, pack_of("1 GB", "1.50", "1"), pack_of("100 minutes", "3.00", minutes=100)),
        ),
        [
            FEE,
            pack("1 GB", "1.50", tax="0.23"),
            pack("100 minutes", "3.00", tax="0.45"),
            pack("5 GB", "4.00", tax="0.60"),
            data("2", "1.00", "2.00", tax="0.30"),
        ],
        "37.38",
    ),
    Case(
        "The plan's allowance goes first, packs expire",
        "32 GB, 600 minutes and 200 messages used; a pack of 5 GB; half of the unused rolls over.",
        "2 GB of the pack are used, 3 expire; nothing of the plan is left",
        bill(used=used("32", minutes=600, sms=200), plan=HALF_ROLLS_OVER, packs=(FIVE_GB,)),
        [FEE, pack("5 GB", "4.00", tax="0.60")],
        "29.90",
        carries=allowance("0"),
    ),
    Case(
        "Cut by a change of plan, what is left of a pack goes along",
        "Móvil 30 GB until 15 November, 16 GB used; a pack of 5 GB; nothing rolls over.",
        "15 GB of the plan and 1 of the pack are used; 5 − 1 = 4 GB go along",
        bill(nov(1, 15), used("16"), packs=(FIVE_GB,)),
        [plan("11.00", tax="1.65"), pack("5 GB", "4.00", tax="0.60")],
        "17.25",
        includes=allowance("15", 300, 100),
        carries=allowance("4"),
        cut=True,
    ),
]

CUT_SHORT = [
    Case(
        "Cut short, much used",
        "24 of 30 GB and 150 of 600 minutes used from 1 to 3 November; then the plan was changed.",
        "3 of 30 days, but 24 of 30 GB: 22.00 × 24/30 = 17.60",
        bill(nov(1, 3), used=used("24", minutes=150)),
        [plan("17.60", tax="2.64")],
        "20.24",
    ),
    Case(
        "Cut short, little used",
        "Half of November, and 3 of 30 GB.",
        "22.00 × 15/30 = 11.00, more than 22.00 × 3/30",
        bill(nov(1, 15), used=used("3")),
        [plan("11.00", tax="1.65")],
        "12.65",
    ),
    Case(
        "Cut short, more used than sold",
        "33 GB used on the first three days of November; then the plan was changed.",
        "3 of 30 days, but all 30 GB: 22.00; 33 − 30 = 3 GB of overage",
        bill(nov(1, 3), used=used("33")),
        [FEE, data("3", "1.00", "3.00", tax="0.45")],
        "28.75",
    ),
    Case(
        "Cut short, with a pack",
        "22 GB used from 1 to 15 November, and a pack of 5 GB; then the plan was changed.",
        "22 GB less 5 of the pack are 17 of 30 GB: 22.00 × 17/30 = 12.466 → 12.46, rounded down",
        bill(nov(1, 15), used=used("22"), packs=(FIVE_GB,)),
        [plan("12.46", tax="1.87"), pack("5 GB", "4.00", tax="0.60")],
        "18.93",
    ),
]

ROLLOVER = [
    Case(
        "Half of the unused goes to the next period",
        "20 GB, 498 minutes and one second, and 200 messages used.",
        "half of 10 GB; 499 minutes were started: half of 101 is 50.5 → 50",
        bill(used=used("20", minutes=498, seconds=1, sms=200), plan=HALF_ROLLS_OVER),
        [FEE],
        "25.30",
        carries=allowance("5", 50, 0),
    ),
    Case(
        "What came from the period before",
        "5 GB and 50 minutes came; 36 GB, 640 minutes and 200 messages used.",
        "36 − 30 − 5 = 1 GB of overage; half of 650 − 640 = 10 minutes rolls over",
        bill(used=used("36", minutes=640, sms=200), plan=HALF_ROLLS_OVER, carried_in=allowance("5", 50)),
        [FEE, data("1", "1.00", "1.00", tax="0.15")],
        "26.45",
        carries=allowance("0", 5),
    ),
    Case(
        "A cap on it",
        "Nothing used; all that is unused rolls over, at most half of the plan's allowance.",
        "30 GB, at most 15; 600 minutes, at most 300; 200 messages, at most 100",
        bill(plan=replace(MOVIL_30, rollover_share=Decimal(1), rollover_cap=Decimal("0.5"))),
        [FEE],
        "25.30",
        carries=allowance("15", 300, 100),
    ),
    Case(
        "Late use after rolling over",
        "20 GB were used, so 5 GB went to December; then 6 GB of November are reported late.",
        "30 − 5 = 25 GB are November's; 26 − 25 = 1 GB of overage",
        bill(NOVEMBER, used("26"), plan=HALF_ROLLS_OVER, carried_out=allowance("5")),
        [FEE, data("1", "1.00", "1.00", tax="0.15")],
        "26.45",
    ),
    Case(
        "Little late use after rolling over",
        "The same, with 5 GB reported late.",
        "30 − 5 = 25 GB: just enough",
        bill(NOVEMBER, used("25"), plan=HALF_ROLLS_OVER, carried_out=allowance("5")),
        [FEE],
        "25.30",
    ),
]
