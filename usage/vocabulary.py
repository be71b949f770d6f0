"""The vocabulary of usage, without tables: categories, resources, alert thresholds, reasons of rejection."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# The most that one event may report (1 PiB): far more than any session, and far below an overflow of sums.
QUANTITY_MAX = 2**50
# The most that a counter may hold. With one more event it still fits the database's signed 64 bits.
COUNTER_MAX = 2**62


class Category(TextChoices):
    """The kind of usage. Data categories are counted in bytes, VOICE in seconds, SMS in messages."""

    SOCIAL = "SOCIAL", _("Social networks")
    ENTERTAINMENT = "ENTERTAINMENT", _("Entertainment")
    SYSTEM_UPDATES = "SYSTEM_UPDATES", _("System updates")
    NAVIGATION_SEARCH = "NAVIGATION_SEARCH", _("Browsing and search")
    VOICE = "VOICE", _("Voice")
    SMS = "SMS", _("SMS")


# The column in which each category is counted.
COUNTER_FIELDS = {
    Category.SOCIAL: "used_social_bytes",
    Category.ENTERTAINMENT: "used_entertainment_bytes",
    Category.SYSTEM_UPDATES: "used_system_updates_bytes",
    Category.NAVIGATION_SEARCH: "used_navigation_search_bytes",
    Category.VOICE: "used_voice_seconds",
    Category.SMS: "used_sms",
}
DATA_CATEGORIES = [
    Category.SOCIAL,
    Category.ENTERTAINMENT,
    Category.SYSTEM_UPDATES,
    Category.NAVIGATION_SEARCH,
]
DATA_FIELDS = [COUNTER_FIELDS[category] for category in DATA_CATEGORIES]
# The subscription's column that makes a category zero-rated: its bytes are counted and use up no allowance.
ZERO_RATED = {
    "used_social_bytes": "zero_rated_social",
    "used_entertainment_bytes": "zero_rated_entertainment",
    "used_system_updates_bytes": "zero_rated_system_updates",
    "used_navigation_search_bytes": "zero_rated_navigation_search",
}


class Resource(TextChoices):
    """A service for which a plan has an allowance."""

    DATA = "DATA", _("Data")
    VOICE = "VOICE", _("Voice")
    SMS = "SMS", _("SMS")


# Shares of an allowance in percent. The subscriber gets an alert when usage reaches one.
ALERT_THRESHOLDS = (50, 80, 100)


class RejectionReason(TextChoices):
    """Why a report could not be counted.

    The first six reasons may pass: such reports are kept and can be redriven. Usage of a time in which its
    line was suspended is rejected as long as the suspension says so; usage after the line was terminated
    always. A report that is too late is kept for inspection, as long as other usage of its time.
    """

    UNKNOWN_LINE = "unknown_line", _("No line has this number")
    NO_SUBSCRIPTION = "no_subscription", _("The line had no plan at that time")
    LINE_SUSPENDED = "line_suspended", _("The line was suspended at that time")
    LINE_TERMINATED = "line_terminated", _("The line was already terminated")
    IN_FUTURE = "in_future", _("The time of the usage is in the future")
    COUNTER_FULL = "counter_full", _("The quantity is more than the line's counter can hold")
    TOO_LATE = "too_late", _("The usage of that day was already purged")
    EVENT_CONFLICT = "event_conflict", _("Another event has this source and event id")
    INVALID = "invalid", _("Not a valid usage event")


def started_minutes(seconds: int) -> int:
    """Return the minutes of `seconds`, rounded up: voice is sold by the minute, and each started minute
    counts."""
    return -(-seconds // 60)


# The sentence in a receipt for each reason. An invalid report has a sentence of its own.
DETAILS = {
    RejectionReason.UNKNOWN_LINE: "No line has this number",
    RejectionReason.NO_SUBSCRIPTION: "The line had no plan at that time",
    RejectionReason.LINE_SUSPENDED: "The line was suspended at that time",
    RejectionReason.LINE_TERMINATED: "The line was already terminated",
    RejectionReason.IN_FUTURE: "The time of the usage is in the future",
    RejectionReason.COUNTER_FULL: "The quantity is more than the line's counter can hold",
    RejectionReason.TOO_LATE: "The usage of that day was already purged",
    RejectionReason.EVENT_CONFLICT: "Another event has this source and event_id",
}
