"""Slots shared by processes. A holder renews its lease in Redis, so the slot of a killed process becomes free.

Each semaphore is a sorted set: the member is the id of a lease, the score the time at which the lease expires, by the
clock of Redis only.
"""

import asyncio
import contextlib
import uuid
from typing import Any

import structlog

from performance.circuit_breaker import REDIS_UNAVAILABLE_ERRORS
from performance.redis_clients import create_async_redis
from performance.redis_outage import redis_outage

log = structlog.get_logger(__name__)

LEASE_SECONDS = 2.5
RENEWALS_PER_LEASE = 3
# KEYS: sorted set; ARGV: lease id, slots, lease seconds. Returns 1 when the lease was acquired.
_ACQUIRE_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[3] * 2000))
return 1
"""
# KEYS: sorted set; ARGV: lease seconds, lease ids. Returns the leases that have expired; their slots may be taken.
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


class LeaseHolder:
    """The leases of this process under a name, renewed until they are released."""

    def __init__(self, name: str, redis_url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.key = f"leases:{name}"
        self._lease_seconds = lease_seconds
        self.redis: Any = create_async_redis(redis_url, socket_connect_timeout=1, socket_timeout=1)
        self._renew_script = self.redis.register_script(_RENEW_SCRIPT)
        self._lease_ids: set[str] = set()
        self._renewal_task: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """The number of leases of this process."""
        return len(self._lease_ids)

    def keep_renewing(self, lease_id: str) -> None:
        """Renew a lease that a script has acquired, until `release`."""
        self._lease_ids.add(lease_id)
        if self._renewal_task is None or self._renewal_task.done():
            self._renewal_task = asyncio.get_running_loop().create_task(self._run_renewal_loop())

    async def release(self, lease_id: str) -> None:
        """Free the slot; while Redis is unavailable the lease expires instead."""
        self._lease_ids.discard(lease_id)
        with contextlib.suppress(*REDIS_UNAVAILABLE_ERRORS):
            await self.redis.zrem(self.key, lease_id)

    async def _run_renewal_loop(self) -> None:
        while self._lease_ids:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            if not self._lease_ids:
                return
            try:
                lost = await self._renew_script(keys=[self.key], args=[self._lease_seconds, *self._lease_ids])
            except REDIS_UNAVAILABLE_ERRORS as error:
                redis_outage.report_failure("leases", error)
                continue
            for lease_id in lost:
                self._lease_ids.discard(lease_id.decode())
                log.warning("lease_lost", key=self.key)


class DistributedSemaphore(LeaseHolder):
    """At most `slots` leases at once under a name, over all processes that use this Redis."""

    def __init__(self, name: str, slots: int, redis_url: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        super().__init__(name, redis_url, lease_seconds=lease_seconds)
        self._slots = slots
        self._acquire_script = self.redis.register_script(_ACQUIRE_SCRIPT)

    async def acquire(self) -> str | None:
        """Return the id of a new lease, or None when no slot is free.

        Raises one of REDIS_UNAVAILABLE_ERRORS. The lease is renewed until `release`.
        """
        lease_id = uuid.uuid4().hex
        if not await self._acquire_script(keys=[self.key], args=[lease_id, self._slots, self._lease_seconds]):
            return None
        self.keep_renewing(lease_id)
        return lease_id
