"""What customers are told about their documents: put on a list with what it is about (`queueing`), said in
their language (`wording`), and handed over once (`sending`). docs/printing.md."""

from billing.notices.queueing import send_again
from billing.notices.sending import Sent, send_notices

__all__ = ["Sent", "send_again", "send_notices"]
