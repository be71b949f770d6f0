"""Token bucket: limit a rate, and allow a burst after a quiet time."""


class TokenBucket:
    """Bucket that holds at most `burst` tokens and gains `rate` of them a second. Moments are seconds of any
    monotonic clock."""

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, *, rate: float, burst: float, at: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._since = burst, at

    def take(self, at: float) -> bool:
        """Take a token. Return whether there was one."""
        self._tokens = min(self._burst, self._tokens + (at - self._since) * self._rate)
        self._since = at
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
