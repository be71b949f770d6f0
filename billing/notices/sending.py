"""Send the waiting notices of the outbox, each once.

A notice is claimed (SENDING, committed) before it is handed over, and becomes SENT afterwards. If the process
is killed in between, it stays SENDING: it is unknown whether it was sent, and only staff can send it again
(`queueing.send_again`). A notice that certainly was not sent is FAILED, with the reason; one that is no
longer needed is DROPPED.
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

# Notices read at once. Processes that send at the same time read the same ones; only one claims each.
CHUNK = 100


class Sent(NamedTuple):
    """Numbers of notices that were sent, that failed, and of which it is unknown whether they were sent."""

    sent: int = 0
    failed: int = 0
    unsure: int = 0


def send_notices(*, clock: Callable[[], datetime], seconds: float = float("inf")) -> Sent:
    """Send the waiting notices; begin none after `seconds`. Safe in several processes at once.

    If a channel cannot be reached, its notices stay waiting. If the connection breaks while a notice is
    handed over, it is unknown whether that one was sent; the channel's others wait for the next round.
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
    """Send a notice, unless it is no longer needed. Return its new state, and the reason if it was not sent,
    which is not logged, because it may name people."""
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
    """Return why the notice is no longer needed, or "" if it is. Notices of documents are always needed."""
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
