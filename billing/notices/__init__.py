"""Notices to customers about their documents: an outbox, filled in the transaction that a notice is about.
`queueing` makes a notice wait again, `wording` has the texts by language, and `sending` hands each notice
over once (docs/printing.md)."""

from billing.notices.queueing import send_again
from billing.notices.sending import Sent, send_notices

__all__ = ["Sent", "send_again", "send_notices"]
