"""One log line when Redis becomes unavailable and one when it is back, instead of one for each failed call."""

import logging
import threading
import time

import redis.exceptions
import structlog

log = structlog.get_logger(__name__)

# Failures that are further apart belong to different outages.
QUIET_SECONDS = 30.0
# So much time must pass without a failure before Redis counts as available: some calls succeed in an outage.
RECOVERED_AFTER_SECONDS = 3.0
CONNECTION_ERRORS = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, ConnectionError, TimeoutError)


class OutageLog:
    """The outage of this process, if there is one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_at = self._failed_at = 0.0
        self._failures = 0

    @property
    def is_active(self) -> bool:
        """Whether calls failed a short while ago."""
        return bool(self._failures) and time.monotonic() - self._failed_at <= QUIET_SECONDS

    def report_failure(self, use: str, error: BaseException) -> None:
        """Count a failed call; log it if it is the first of an outage. use: what the call was for."""
        with self._lock:
            now = time.monotonic()
            is_new = not self._failures or now - self._failed_at > QUIET_SECONDS
            if is_new:
                self._began_at, self._failures = now, 0
            self._failed_at = now
            self._failures += 1
        if is_new:
            log.warning("redis_unavailable", use=use, error=repr(error))

    def report_success(self) -> None:
        """Log the end of the outage; does nothing without one."""
        if not self._failures:  # without the lock: called for every lookup
            return
        with self._lock:
            now = time.monotonic()
            if not self._failures or now - self._failed_at < RECOVERED_AFTER_SECONDS:
                return
            failures, seconds, self._failures = self._failures, self._failed_at - self._began_at, 0
        log.warning("redis_available_again", failures=failures, seconds=round(seconds, 1))


redis_outage = OutageLog()


class OutageFilter(logging.Filter):
    """Reports the records of libraries about an unavailable Redis to the outage, instead of their tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        is_of_redis = isinstance(error, redis.exceptions.RedisError) or record.name.startswith("channels_redis")
        if error is None or not is_of_redis or not isinstance(error, CONNECTION_ERRORS):
            return True
        redis_outage.report_failure(record.name, error)
        return False
