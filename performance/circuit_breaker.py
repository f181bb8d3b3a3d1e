"""A store that is away: what that looks like, and for how long it is left alone then."""

import time

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

REDIS_UNAVAILABLE_ERRORS = (OSError, RedisError)
BREAKER_RESET_SECONDS = 1.0


class CircuitBreaker:
    """After a failed look-up nobody waits for the store's time-out again for a second."""

    def __init__(self) -> None:
        self._open_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def trip(self, error: BaseException) -> None:
        if not self.is_open():
            log.warning("cache_away", error=repr(error))
        self._open_until = time.monotonic() + BREAKER_RESET_SECONDS

    def reset(self) -> None:
        self._open_until = 0.0


cache_breaker = CircuitBreaker()


class tolerate_unavailable_store:
    """Swallows what a store that is away raises, and begins the outage."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, REDIS_UNAVAILABLE_ERRORS):
            return False
        cache_breaker.trip(error)
        return True
