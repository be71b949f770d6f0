"""A usage report that is to be counted, and its outcome. Pure: no database, no clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec

from telcox.common.phone import InvalidPhoneNumber, national_number
from usage.vocabulary import QUANTITY_MAX, RejectionReason

# usage.vocabulary.Category, spelled out for the decoder.
CategoryName = Literal["SOCIAL", "ENTERTAINMENT", "SYSTEM_UPDATES", "NAVIGATION_SEARCH", "VOICE", "SMS"]
CATEGORY_NAMES: tuple[str, ...] = get_args(CategoryName)

Quantity = Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
# With its UTC offset, so that the time zone is not guessed.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
# The length is limited as the key is sent, with blanks around it.
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Source = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

# Years that all supported databases can hold, in every time zone.
YEARS = range(1971, 9999)
# The source of reports that name none.
DEFAULT_SOURCE = "api"


class InvalidReport(ValueError):
    """Not a valid usage report; the message says why."""


class UsageReport(msgspec.Struct, forbid_unknown_fields=True):
    """1 MiB of SOCIAL by 0969786985, event 17 of source pgw-1.

    `quantity` is in bytes, seconds (VOICE) or messages (SMS). Without `occurred_at` it happened when it is
    counted; without `event_id` it is taken as new. The decoder calls `normalize` before passing it on.
    """

    phone_number: str
    category: CategoryName
    quantity: Quantity
    source: Source = DEFAULT_SOURCE
    event_id: Key | None = None
    occurred_at: Moment | None = None

    def normalize(self) -> UsageReport:
        """Return the report with its number in national form and its key without blanks around it (MySQL
        ignores trailing blanks when it compares keys). Raise InvalidReport."""
        try:
            self.phone_number = national_number(self.phone_number)
        except InvalidPhoneNumber as error:
            raise InvalidReport(f"{error} - at `$.phone_number`") from error
        if self.occurred_at is not None and self.occurred_at.year not in YEARS:
            raise InvalidReport("Expected a time within the supported years - at `$.occurred_at`")
        self.source = _key(self.source, "source")
        if self.event_id is not None:
            self.event_id = _key(self.event_id, "event_id")
        return self

    @property
    def key(self) -> tuple[str, str]:
        """Return the idempotency key (source, event_id) of a report that has its event_id."""
        assert self.event_id is not None
        return self.source, self.event_id

    def same_as(self, other: UsageReport) -> bool:
        """Return whether two reports with one key have the same content; their times are compared only if
        both have one."""
        return (
            self.phone_number == other.phone_number
            and self.category == other.category
            and self.quantity == other.quantity
            and (
                self.occurred_at is None or other.occurred_at is None or self.occurred_at == other.occurred_at
            )
        )


def _key(text: str, field: str) -> str:
    text = text.strip()
    if not text or "\0" in text:
        raise InvalidReport(f"Expected visible characters - at `$.{field}`")
    return text


class Result(enum.Enum):
    PENDING = "pending"  # while it is being counted; never in an answer
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(slots=True)
class Outcome:
    """The outcome of a report; a rejected one has a `reason`. It is applied once the transaction that counts
    it is committed."""

    report: UsageReport
    result: Result = Result.PENDING
    reason: RejectionReason | None = None

    def reject(self, reason: RejectionReason) -> None:
        self.result, self.reason = Result.REJECTED, reason

    def repeat(self, same: bool) -> None:
        """Make this a duplicate or a conflict: its key was counted before, by the same report or by another
        one."""
        if same:
            self.result, self.reason = Result.DUPLICATE, None
        else:
            self.reject(RejectionReason.EVENT_CONFLICT)
