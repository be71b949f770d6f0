"""Refusals by services. `telcox.common.web.problems` turns them into HTTP answers."""

from typing import Any


class DomainError(Exception):
    """A refused operation: `detail` is a sentence for people, `reason` a fixed code for programs."""

    status = 409
    reason = "refused"

    def __init__(self, detail: str, *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason or self.reason


class PaymentDeclined(DomainError):
    """The payment gateway did not collect the money."""

    status = 402
    reason = "payment_declined"


class NotFound(DomainError):
    status = 404
    reason = "not_found"


class Unprocessable(DomainError):
    """Well-formed input that cannot be recorded."""

    status = 422
    reason = "unprocessable"


class InvalidInput(Unprocessable):
    """Invalid input at `loc` (as in the original: `("body", "bytes")`, `("path", "phone_number")`)."""

    reason = "invalid_input"

    def __init__(self, msg: str, *, loc: tuple[str | int, ...], type: str = "value_error") -> None:
        super().__init__(f"{'.'.join(map(str, loc))}: {msg}")
        self.errors: list[dict[str, Any]] = [{"type": type, "loc": list(loc), "msg": msg}]


class BadGateway(DomainError):
    """An external system gave an invalid answer."""

    status = 502
    reason = "bad_gateway"


class GatewayTimeout(DomainError):
    """An external system did not answer in time."""

    status = 504
    reason = "gateway_timeout"


class TooBusy(DomainError):
    """Load shedding: the request is refused before anything was done, and can be sent again in a moment."""

    status = 503
    reason = "too_busy"
