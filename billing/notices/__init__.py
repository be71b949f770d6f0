"""Outbox of notices to customers about their documents. A notice is written in the same transaction as what
it reports. `sending` sends each notice once, through `carriers` (e-mail, SMS); `wording` has the texts by
language, and `queueing` queues a notice again (docs/printing.md)."""

from billing.notices.queueing import send_again
from billing.notices.sending import Sent, send_notices

__all__ = ["Sent", "send_again", "send_notices"]
