"""Places that processes share: each holder has a lease in Redis and renews it, so a killed holder's place comes back.

One sorted set a name: member = holder, score = when its lease ends, by the clock of Redis alone.
"""

import asyncio
import contextlib
import uuid
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

LEASE_SECONDS = 2.5
RENEWALS_PER_LEASE = 3
# KEYS: set; ARGV: holder, places, lease seconds. 1 when the holder has a place now.
_ACQUIRE_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[3] * 2000))
return 1
"""
# KEYS: set; ARGV: lease seconds, holders. Returns the holders whose lease had ended: somebody else may have the place.
_RENEW_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local lost = {}
for i = 2, #ARGV do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if ends and tonumber(ends) > now then redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
  else lost[#lost + 1] = ARGV[i] end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] * 2000))
return lost
"""
REDIS_UNAVAILABLE_ERRORS = (OSError, RedisError)


class DistributedSemaphore:
    """At most `places` holders at once under a name, over all processes that use this Redis."""

    def __init__(self, name: str, slots: int, redis_url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._key = f"leases:{name}"
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._redis: Any = Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1)
        self._acquire_script = self._redis.register_script(_ACQUIRE_SCRIPT)
        self._renew_script = self._redis.register_script(_RENEW_SCRIPT)
        self._holders: set[str] = set()
        self._renewal_task: asyncio.Task[None] | None = None

    async def acquire(self) -> str | None:
        """A new holder's name, or None when every place is taken. Raises OSError or RedisError when Redis is away."""
        holder = uuid.uuid4().hex
        if not await self._acquire_script(keys=[self._key], args=[holder, self._slots, self._lease_seconds]):
            return None
        self._holders.add(holder)
        if self._renewal_task is None or self._renewal_task.done():
            self._renewal_task = asyncio.get_running_loop().create_task(self._run_renewal_loop())
        return holder

    async def release(self, holder: str) -> None:
        """Free the place; when Redis is away its lease runs out by itself."""
        self._holders.discard(holder)
        with contextlib.suppress(*REDIS_UNAVAILABLE_ERRORS):
            await self._redis.zrem(self._key, holder)

    async def _run_renewal_loop(self) -> None:
        while self._holders:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            try:
                lost = (
                    await self._renew_script(keys=[self._key], args=[self._lease_seconds, *self._holders])
                    if self._holders
                    else []
                )
            except REDIS_UNAVAILABLE_ERRORS as error:
                log.warning("leases_not_renewed", key=self._key, error=repr(error))
                continue
            for holder in lost:
                self._holders.discard(holder.decode())
                log.warning("lease_lost", key=self._key)
