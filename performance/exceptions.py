"""Refusals of the ground floor. `errors` registers which words each becomes."""


class LimitExceeded(Exception):
    """Not now. seconds: how long to wait before it can be otherwise, at least."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConcurrencyLimitExceeded(LimitExceeded):
    """Too many wait already."""


class RateLimitExceeded(LimitExceeded):
    """The window has no room."""
