"""What the office does every day."""

from datetime import datetime

from customers.services import renew_subscriptions


def run_day(*, at: datetime) -> None:
    """Everything that is due by `at`. Safe to run twice or in several places at once, and to be killed."""
    renew_subscriptions(at=at)
