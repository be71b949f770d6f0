"""Rating: what a period costs (docs/rating.md).

`values`, `allowances`, `rules`, `late_charges` and `remaining` are pure: no database, no clock, no settings.
`facts`, `used`, `late_use` and `kept` read the rows that a period is rated from.
"""

from billing.rating.allowances import (
    granted_allowance,
    included_allowance,
    usable_allowance,
    used_allowance,
)
from billing.rating.rules import (
    GB,
    ZERO,
    Overage,
    Rated,
    RatedLine,
    RatingInputs,
    overage,
    rate_period,
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
    "Changes",
    "Discount",
    "LateCharge",
    "LateUse",
    "Overage",
    "Pack",
    "Rated",
    "RatedLine",
    "RatingInputs",
    "Span",
    "Terms",
    "Used",
    "granted_allowance",
    "included_allowance",
    "overage",
    "rate_period",
    "usable_allowance",
    "used_allowance",
]
