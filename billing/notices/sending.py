"""Notices go out, each of them once.

A notice is claimed (SENDING, committed) before it is handed over, and SENT when that has worked. So whoever
is killed in between leaves it SENDING: it may have gone out or not, and nobody sends it a second time but
staff who say so (`queueing.send_again`). What cannot have gone out is FAILED, and says why; what need not be
said any more is DROPPED.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Channel, Notice, NoticeKind, NoticeState
from billing.models.invoices import OPEN
from billing.notices.carriers import CARRIERS, NoticeRefused, Prepare
from customers.models import LineStatus

logger = logging.getLogger(__name__)

# Looked for at once; several who send at the same time look for the same, and claim one after the other.
CHUNK = 100


class Sent(NamedTuple):
    """How many went out, how many did not, and of how many nobody knows."""

    sent: int = 0
    failed: int = 0
    unsure: int = 0


def send_notices(*, clock: Callable[[], datetime], seconds: float = float("inf")) -> Sent:
    """Hands over what is waiting, for so many seconds at the most. In several places at once, if one likes.

    Where a channel cannot be reached at all, its notices go on waiting. Where it breaks while one is handed
    over, that one is of unknown fate, and the rest waits for the next time.
    """
    until = time.monotonic() + seconds
    states = [state for channel in Channel for state in _sent_by(channel, clock, until)]
    return Sent(
        states.count(NoticeState.SENT), states.count(NoticeState.FAILED), states.count(NoticeState.SENDING)
    )


def _sent_by(channel: Channel, clock: Callable[[], datetime], until: float) -> Iterator[NoticeState]:
    if not _waiting(channel):
        return
    with ExitStack() as stack:
        try:
            prepare = stack.enter_context(CARRIERS[channel]())
        except Exception as error:
            logger.warning("cannot send by %s, will be tried again: %s", channel, type(error).__name__)
            return
        for notice in _claimed(channel, until):
            notice.state, notice.problem = _handed_over(notice, prepare)
            if notice.state == NoticeState.SENT:
                notice.sent_at = clock()
            notice.save(update_fields=["state", "problem", "sent_at"])
            yield notice.state
            if notice.state == NoticeState.SENDING:
                return


def _waiting(channel: Channel) -> list[int]:
    waiting = Notice.objects.filter(state=NoticeState.WAITING, channel=channel)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:CHUNK])


def _claimed(channel: Channel, until: float) -> Iterator[Notice]:
    while keys := _waiting(channel):
        for key in keys:
            if time.monotonic() >= until:
                return
            waiting = Notice.objects.filter(pk=key, state=NoticeState.WAITING)
            if waiting.update(state=NoticeState.SENDING):
                yield Notice.objects.select_related(
                    "invoice__customer", "invoice__series", "invoice__issuer", "invoice__corrects__series"
                ).get(pk=key)


def _handed_over(notice: Notice, prepare: Prepare) -> tuple[NoticeState, str]:
    """What has become of it, and what was wrong. A reason may name people, so it is not logged."""
    if why := reason_to_drop(notice):
        return NoticeState.DROPPED, why
    try:
        hand_over = prepare(notice)
    except Exception as error:
        logger.warning("notice %d could not be composed: %s", notice.pk, type(error).__name__)
        return NoticeState.FAILED, _problem(error)
    try:
        hand_over()
    except NoticeRefused as error:
        logger.warning("notice %d refused", notice.pk)
        return NoticeState.FAILED, _problem(error)
    except Exception as error:
        logger.warning("notice %d: unknown whether it was sent: %s", notice.pk, type(error).__name__)
        return NoticeState.SENDING, _problem(error)
    return NoticeState.SENT, ""


def _problem(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


def reason_to_drop(notice: Notice) -> str:
    """Why the notice need not be sent any more; empty if it is to be. Of a document nothing is known here."""
    if notice.kind == NoticeKind.DOCUMENT:
        return ""
    if notice.invoice.status not in OPEN:
        return _("Nothing is owed on the invoice any more")
    if notice.kind == NoticeKind.SUSPENSION and not _suspended(notice):
        return _("The line has been resumed in the meantime")
    return ""


def _suspended(notice: Notice) -> bool:
    subscription = notice.invoice.subscription
    return subscription is not None and subscription.line.status == LineStatus.SUSPENDED
