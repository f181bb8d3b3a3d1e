"""Circuit breaker for Redis: after a failed call, further calls are skipped for a second."""

import time

from redis.exceptions import RedisError

from performance.redis_outage import redis_outage

REDIS_UNAVAILABLE_ERRORS = (OSError, RedisError)
BREAKER_RESET_SECONDS = 1.0


class CircuitBreaker:
    """Open for BREAKER_RESET_SECONDS after a failure, so that calls do not each wait for the timeout of Redis."""

    def __init__(self) -> None:
        self._open_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def trip(self, error: BaseException) -> None:
        redis_outage.report_failure("cache", error)
        self._open_until = time.monotonic() + BREAKER_RESET_SECONDS

    def reset(self) -> None:
        self._open_until = 0.0


cache_breaker = CircuitBreaker()


class tolerate_unavailable_store:
    """Context manager that suppresses the errors of an unavailable Redis and opens the circuit breaker."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None:
            redis_outage.report_success()
        if not isinstance(error, REDIS_UNAVAILABLE_ERRORS):
            return False
        cache_breaker.trip(error)
        return True
