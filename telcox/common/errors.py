"""What a service says when it will not do what it was asked. `problems` turns these into HTTP answers."""

from typing import Any


class DomainError(Exception):
    """Refused: `detail` is a sentence for people, `reason` the same for machines."""

    status = 409
    reason = "refused"

    def __init__(self, detail: str, *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason or self.reason


class PaymentDeclined(DomainError):
    """Whoever was to collect the money did not."""

    status = 402
    reason = "payment_declined"


class NotFound(DomainError):
    status = 404
    reason = "not_found"


class Unprocessable(DomainError):
    """Well-formed, but no such thing can be recorded."""

    status = 422
    reason = "unprocessable"


class InvalidInput(Unprocessable):
    """The request itself is wrong, at `loc` (as in the original: `("body", "bytes")`, `("path",
    "phone_number")`)."""

    reason = "invalid_input"

    def __init__(self, msg: str, *, loc: tuple[str | int, ...], type: str = "value_error") -> None:
        super().__init__(f"{'.'.join(map(str, loc))}: {msg}")
        self.errors: list[dict[str, Any]] = [{"type": type, "loc": list(loc), "msg": msg}]


class BadGateway(DomainError):
    """A system behind us answered nonsense."""

    status = 502
    reason = "bad_gateway"


class GatewayTimeout(DomainError):
    """A system behind us did not answer in time."""

    status = 504
    reason = "gateway_timeout"


class TooBusy(DomainError):
    """More is asked of us than we can do just now; nothing of this was done, and in a moment it may be."""

    status = 503
    reason = "too_busy"
