"""A store that is away: what that looks like, and for how long it is left alone then."""

import time

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

AWAY = (OSError, RedisError)
SECONDS_LEFT_ALONE = 1.0


class Outage:
    """After a failed look-up nobody waits for the store's time-out again for a second."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, error: BaseException) -> None:
        if not self.is_on():
            log.warning("cache_away", error=repr(error))
        self._until = time.monotonic() + SECONDS_LEFT_ALONE

    def end(self) -> None:
        self._until = 0.0


outage = Outage()


class store_may_be_away:
    """Swallows what a store that is away raises, and begins the outage."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, AWAY):
            return False
        outage.begin(error)
        return True
