"""Rejections by the limits. `errors/third_party.py` maps each to an error code."""


class LimitExceeded(Exception):
    """A limit rejects a call; it can succeed after `retry_after_seconds` at the earliest."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConcurrencyLimitExceeded(LimitExceeded):
    """Too many tasks are waiting already."""


class RateLimitExceeded(LimitExceeded):
    """The window of the rate limit is full."""
