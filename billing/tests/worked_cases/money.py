"""Worked cases: discounts, the spend limit, tax and half cents."""

from decimal import Decimal

from msgspec.structs import replace

from billing.tests.worked_cases.case import (
    MOVIL_30,
    Case,
    bill,
    data,
    dollars,
    month,
    nov,
    pack,
    pack_of,
    percent,
    plan,
    used,
    voice,
)

FEE = plan("22.00", tax="3.30")
FIVE_GB = pack_of("5 GB", "4.00", "5")
FIVE_DOLLARS = Decimal("5.00")

DISCOUNTS = [
    Case(
        "Percent",
        "10 % for loyalty; 32.5 GB used.",
        "10 % of 22.00 and of 2.50; tax of 2.25 is 0.3375 → 0.34",
        bill(used=used("32.5"), discounts=(percent("Loyalty", "10"),)),
        [
            plan("22.00", less="2.20", tax="2.97"),
            data("2.5", "1.00", "2.50", less="0.25", tax="0.34"),
        ],
        "25.36",
    ),
    Case(
        "Dollars",
        "5.00 off a month.",
        "22.00 − 5.00 = 17.00",
        bill(discounts=(dollars("Welcome", "5.00"),)),
        [plan("22.00", less="5.00", tax="2.55")],
        "19.55",
    ),
    Case(
        "Dollars that reach beyond the plan",
        "23.00 off a month; 32.5 GB used.",
        "22.00 off the plan, 1.00 off the data; tax of 1.50 is 0.225 → 0.23",
        bill(used=used("32.5"), discounts=(dollars("Employee", "23.00"),)),
        [
            plan("22.00", less="22.00", tax="0.00"),
            data("2.5", "1.00", "2.50", less="1.00", tax="0.23"),
        ],
        "1.73",
    ),
    Case(
        "Both",
        "5.00 off a month and 10 % for loyalty.",
        "percent first: 2.20 + 5.00 = 7.20",
        bill(discounts=(dollars("Welcome", "5.00"), percent("Loyalty", "10"))),
        [plan("22.00", less="7.20", tax="2.22")],
        "17.02",
    ),
    Case(
        "More than 100 %",
        "60 % and 50 %.",
        "110 % → 100 %",
        bill(discounts=(percent("Employee", "60"), percent("Jubilee", "50"))),
        [plan("22.00", less="22.00", tax="0.00")],
        "0.00",
    ),
    Case(
        "Dollars for a part of a month",
        "5.00 off a month; sold on 18 November.",
        "5.00 − 5.00 × 17/30 = 5.00 − 2.83 = 2.17 off 9.53; tax 1.104 → 1.10",
        bill(nov(18, 30), discounts=(dollars("Welcome", "5.00"),)),
        [plan("9.53", less="2.17", tax="1.10")],
        "8.46",
    ),
    Case(
        "Once, by staff",
        "3.00 off this bill; sold on 18 November.",
        "3.00 is not prorated; tax 0.9795 → 0.98",
        bill(nov(18, 30), extra_discount=Decimal("3.00")),
        [plan("9.53", less="3.00", tax="0.98")],
        "7.51",
    ),
]

SPEND_LIMIT = [
    Case(
        "Reached exactly",
        "A limit of 5.00; 35 GB used.",
        "5 GB × 1.00 = 5.00",
        bill(used=used("35"), spend_limit=FIVE_DOLLARS),
        [FEE, data("5", "1.00", "5.00", tax="0.75")],
        "31.05",
    ),
    Case(
        "In the middle of data",
        "A limit of 5.00; 40 GB and 620 minutes used.",
        "5 of 10 GB are charged, and no minute",
        bill(used=used("40", minutes=620), spend_limit=FIVE_DOLLARS),
        [FEE, data("5", "1.00", "5.00", tax="0.75")],
        "31.05",
    ),
    Case(
        "A price it is no multiple of",
        "A limit of 5.00; 40 GB used of a plan that charges 1.20 for a GB.",
        "5.00 / 1.20 = 4.1666666 → 4.166666 GB; × 1.20 = 4.9999992 → 5.00",
        bill(
            used=used("40"),
            plan=replace(MOVIL_30, overage_price_per_gb=Decimal("1.20")),
            spend_limit=FIVE_DOLLARS,
        ),
        [FEE, data("4.166666", "1.20", "5.00", tax="0.75")],
        "31.05",
    ),
    Case(
        "Whole minutes",
        "A limit of 0.50; 610 minutes used of a plan that charges 0.08 for a started one.",
        "6 × 0.08 = 0.48, the seventh does not fit; tax 0.072 → 0.07",
        bill(
            used=used(minutes=610),
            plan=replace(MOVIL_30, overage_price_per_minute=Decimal("0.08")),
            spend_limit=Decimal("0.50"),
        ),
        [FEE, voice("6", "0.08", "0.48", tax="0.07")],
        "25.85",
    ),
    Case(
        "With a pack",
        "A limit of 5.00; a pack of 5 GB for 4.00; 38 GB used.",
        "5.00 − 4.00 = 1.00: 1 of 3 GB is charged",
        bill(used=used("38"), spend_limit=FIVE_DOLLARS, packs=(FIVE_GB,)),
        [FEE, pack("5 GB", "4.00", tax="0.60"), data("1", "1.00", "1.00", tax="0.15")],
        "31.05",
    ),
    Case(
        "A pack that is more than it",
        "A limit of 3.00, lowered after a pack of 5 GB was bought for 4.00; 38 GB used.",
        "the pack was bought and is charged; no room is left",
        bill(used=used("38"), spend_limit=Decimal("3.00"), packs=(FIVE_GB,)),
        [FEE, pack("5 GB", "4.00", tax="0.60")],
        "29.90",
    ),
    Case(
        "A plan that charges beyond it",
        "A limit of 5.00; 40 GB and 620 minutes used.",
        "all 10 GB and 20 minutes",
        bill(
            used=used("40", minutes=620),
            plan=replace(MOVIL_30, overage_beyond_spend_limit=True),
            spend_limit=FIVE_DOLLARS,
        ),
        [
            FEE,
            data("10", "1.00", "10.00", tax="1.50"),
            voice("20", "0.05", "1.00", tax="0.15"),
        ],
        "37.95",
    ),
]

TAX = [
    Case(
        "12 %, the last month of it",
        "March 2024.",
        "22.00 × 12 % = 2.64",
        bill(month(2024, 3), tax="0.12"),
        [plan("22.00", tax="2.64")],
        "24.64",
    ),
    Case(
        "15 %, the first month of it",
        "April 2024.",
        "22.00 × 15 % = 3.30",
        bill(month(2024, 4), tax="0.15"),
        [FEE],
        "25.30",
    ),
    Case(
        "Half a cent of tax",
        "A plan for 22.10.",
        "22.10 × 15 % = 3.315 → 3.32",
        bill(plan=replace(MOVIL_30, price=Decimal("22.10"))),
        [plan("22.10", tax="3.32")],
        "25.42",
    ),
    Case(
        "Half a cent of use",
        "30.25 GB used of a plan that charges 0.50 for a GB.",
        "0.25 × 0.50 = 0.125 → 0.13; tax 0.0195 → 0.02",
        bill(used=used("30.25"), plan=replace(MOVIL_30, overage_price_per_gb=Decimal("0.50"))),
        [FEE, data("0.25", "0.50", "0.13", tax="0.02")],
        "25.45",
    ),
    Case(
        "Half a cent of discount",
        "2.5 % off a plan for 22.20.",
        "22.20 × 2.5 % = 0.555 → 0.56; tax of 21.64 is 3.246 → 3.25",
        bill(plan=replace(MOVIL_30, price=Decimal("22.20")), discounts=(percent("Loyalty", "2.5"),)),
        [plan("22.20", less="0.56", tax="3.25")],
        "24.89",
    ),
    Case(
        "Rounded line by line",
        "30.1 GB and 602 minutes used.",
        "0.10 × 15 % = 0.015 → 0.02, twice; 0.20 × 15 % would be 0.03",
        bill(used=used("30.1", minutes=602)),
        [
            FEE,
            data("0.1", "1.00", "0.10", tax="0.02"),
            voice("2", "0.05", "0.10", tax="0.02"),
        ],
        "25.54",
    ),
]
