"""Rating: what a period costs (docs/rating.md).

`values`, `rules`, `late_charges` and `remaining` are pure: no database, no clock, no settings. `facts`,
`used`, `late_use` and `kept` read the rows that a period is rated from.
"""

from billing.rating.rules import (
    GB,
    ZERO,
    Beyond,
    Rated,
    RatedLine,
    RatingInputs,
    beyond,
    free,
    granted,
    included,
    rate_period,
    spent,
)
from billing.rating.values import (
    Allowance,
    Changes,
    Discount,
    LateCharge,
    LateUse,
    Pack,
    Span,
    Terms,
    Used,
)

__all__ = [
    "GB",
    "ZERO",
    "Allowance",
    "Beyond",
    "Changes",
    "Discount",
    "LateCharge",
    "LateUse",
    "Pack",
    "Rated",
    "RatedLine",
    "RatingInputs",
    "Span",
    "Terms",
    "Used",
    "beyond",
    "free",
    "granted",
    "included",
    "rate_period",
    "spent",
]
