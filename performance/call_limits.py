"""Limits of the calls to one service: at once, per minute, and below both while the service refuses calls.

One decision takes all of them, so a call that is not made uses none. Limits are passed to each decision; a change
applies at once, also to waiting calls. In memory, or through Redis for all processes that use the same name.

Calls belong to groups, such as those of one account. A group may take a share of the limits only, so that the calls of
another one do not wait until its calls end; waiting groups take turns.
"""

import asyncio
import contextlib
import random
import time
import uuid
from collections import deque
from dataclasses import asdict, dataclass
from math import ceil
from typing import Protocol
from weakref import WeakValueDictionary

from performance.adaptation import Adaptation, adapt_to_refusal, adapt_to_success
from performance.circuit_breaker import REDIS_UNAVAILABLE_ERRORS
from performance.leases import LEASE_SECONDS, LeaseHolder
from performance.redis_clients import create_redis
from performance.redis_outage import redis_outage

WINDOW_SECONDS = 60
SLOT_POLL_SECONDS = 0.05  # average interval at which a waiting process checks for a slot of another process
ADAPTATION_SECONDS = 3600  # an adaptation that no call has changed for so long is forgotten


@dataclass(frozen=True)
class Limits:
    """The most calls at once and per minute. max_share: of both, for one group of calls; at least one call."""

    max_concurrent: int
    max_per_minute: int
    max_share: float = 1.0

    def get_group_maximum(self, maximum: int) -> int:
        """Return how much of a limit one group may take."""
        return max(1, ceil(maximum * self.max_share))


@dataclass(frozen=True)
class CallSlot:
    """The permission for one call. started_at: by the clock of its store; is_adapted: whether the limits were lower."""

    id: str
    started_at: float
    is_adapted: bool
    store: "_Store"


@dataclass(frozen=True)
class Wait:
    """No call may begin for about so many seconds. is_for_group: no call of this group, but others may."""

    seconds: float
    is_for_group: bool = False


class _Store(Protocol):
    """Where the calls and the adaptation of one service are counted."""

    async def try_acquire(self, limits: Limits, group: str) -> CallSlot | Wait:
        """Return a slot, or the time after which to try again. The calls of the group "" have no share of their own."""

    async def release(self, call_id: str, *, was_made: bool) -> None:
        """Free the slot; if its call was not made, also its place in the window."""

    async def load_adaptation(self) -> Adaptation | None:
        """Return the adaptation; None without one."""

    async def save_adaptation(self, adaptation: Adaptation | None) -> None:
        """Replace the adaptation."""

    async def get_time_and_recent_calls(self) -> tuple[float, int]:
        """Return the store's time and the number of calls begun within the last second."""


class CallLimits:
    """Limits of one service, in one event loop. The first waiting calls of all groups take turns.

    While Redis is unavailable each process applies the limits on its own.
    """

    def __init__(self, name: str, redis_url: str = "") -> None:
        self.line = asyncio.Lock()  # held by the call that is next
        self._group_lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._memory = _MemoryStore()
        self._store: _Store = _RedisStore(name, redis_url) if redis_url else self._memory
        self._changed = asyncio.Event()

    def get_group_line(self, group: str) -> asyncio.Lock:
        """Return the lock of the group's first waiting call, the only one of the group that waits for `line`."""
        return self._group_lines.setdefault(group, asyncio.Lock())

    async def try_acquire(self, limits: Limits, group: str = "") -> CallSlot | Wait:
        """Return a slot, or the time after which to try again. The slot must be released."""
        try:
            return await self._store.try_acquire(limits, group)
        except REDIS_UNAVAILABLE_ERRORS as error:
            redis_outage.report_failure("call limits", error)
            return await self._memory.try_acquire(limits, group)

    async def wait(self, wait: Wait, max_seconds: float) -> None:
        """Return when another attempt may succeed, after max_seconds at the latest."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait.seconds, max_seconds)):
                await self._changed.wait()

    async def release(self, slot: CallSlot, *, was_made: bool = True) -> None:
        """Free the slot; if its call was not made, it does not count for the minute either."""
        try:
            await slot.store.release(slot.id, was_made=was_made)
        finally:
            self._changed.set()

    async def report_refusal(self, slot: CallSlot, limits: Limits, wait_seconds: float | None) -> None:
        """Lower the limits for every caller, and begin no call for the time that the service named."""
        try:
            now, recent_calls = await slot.store.get_time_and_recent_calls()
            adaptation = adapt_to_refusal(
                await slot.store.load_adaptation(),
                max_concurrent=limits.max_concurrent,
                recent_calls=max(1, recent_calls),
                started_at=slot.started_at,
                now=now,
                wait_seconds=wait_seconds,
            )
            await slot.store.save_adaptation(adaptation)
        except REDIS_UNAVAILABLE_ERRORS as error:
            redis_outage.report_failure("call limits", error)
        self._changed.set()

    async def report_success(self, slot: CallSlot, limits: Limits) -> None:
        """Raise lowered limits a little."""
        if not slot.is_adapted:
            return
        try:
            adaptation = await slot.store.load_adaptation()
            if adaptation:
                grown = adapt_to_success(
                    adaptation,
                    max_concurrent=limits.max_concurrent,
                    max_per_minute=limits.max_per_minute,
                    started_at=slot.started_at,
                )
                await slot.store.save_adaptation(grown)
        except REDIS_UNAVAILABLE_ERRORS as error:
            redis_outage.report_failure("call limits", error)

    @property
    def local_adaptation(self) -> Adaptation | None:
        """The adaptation of this event loop alone; its times are those of the monotonic clock."""
        return self._memory.adaptation

    async def get_cool_down_seconds(self) -> float:
        """Return for how long no call begins."""
        try:
            adaptation = await self._store.load_adaptation()
            now, _recent_calls = await self._store.get_time_and_recent_calls()
        except REDIS_UNAVAILABLE_ERRORS:
            return 0.0
        return max(0.0, adaptation.until - now) if adaptation else 0.0


class _MemoryStore:
    """Counts in this event loop."""

    def __init__(self) -> None:
        self._active: dict[str, str] = {}  # call -> group
        self._starts: deque[tuple[str, str, float]] = deque()  # call, group, time
        self.adaptation: Adaptation | None = None

    async def try_acquire(self, limits: Limits, group: str) -> CallSlot | Wait:
        now, adaptation = time.monotonic(), self.adaptation
        while self._starts and self._starts[0][2] <= now - WINDOW_SECONDS:
            self._starts.popleft()
        max_concurrent, free_at = limits.max_concurrent, now
        if adaptation:
            max_concurrent = min(max_concurrent, int(adaptation.concurrency))
            last_start = self._starts[-1][2] if self._starts else 0.0
            free_at = max(adaptation.until, last_start + 1 / adaptation.calls_per_second)
        group_seconds = self._get_group_wait_seconds(limits, max_concurrent, group, now)
        if group_seconds > 0:
            return Wait(group_seconds, is_for_group=True)
        if len(self._starts) >= limits.max_per_minute:
            free_at = max(free_at, self._starts[-limits.max_per_minute][2] + WINDOW_SECONDS)
        if free_at > now:
            return Wait(free_at - now)
        if len(self._active) >= max_concurrent:
            return Wait(WINDOW_SECONDS)  # a release ends the wait
        slot = CallSlot(uuid.uuid4().hex, now, adaptation is not None, self)
        self._active[slot.id] = group
        self._starts.append((slot.id, group, now))
        return slot

    def _get_group_wait_seconds(self, limits: Limits, max_concurrent: int, group: str, now: float) -> float:
        if not group:
            return 0.0
        if sum(other == group for other in self._active.values()) >= limits.get_group_maximum(max_concurrent):
            return WINDOW_SECONDS  # a release ends the wait
        starts = [started_at for _id, other, started_at in self._starts if other == group]
        maximum = limits.get_group_maximum(limits.max_per_minute)
        return starts[-maximum] + WINDOW_SECONDS - now if len(starts) >= maximum else 0.0

    async def release(self, call_id: str, *, was_made: bool) -> None:
        self._active.pop(call_id, None)
        if not was_made:
            self._starts = deque(start for start in self._starts if start[0] != call_id)

    async def load_adaptation(self) -> Adaptation | None:
        return self.adaptation

    async def save_adaptation(self, adaptation: Adaptation | None) -> None:
        self.adaptation = adaptation

    async def get_time_and_recent_calls(self) -> tuple[float, int]:
        now = time.monotonic()
        return now, sum(started_at > now - 1 for _id, _group, started_at in self._starts)


# KEYS: active calls by the time at which their leases expire, calls by their start, the adaptation, the calls of the
# group by their start. ARGV: id of the call, calls at once, calls per window, window seconds, lease seconds, group, its
# share. The id of a call begins with its group and a colon.
# Returns {time, wait seconds ("" when the call may begin), "full", "adapted" or "", "group" or ""}; the same decision
# as in _MemoryStore, by the clock of Redis.
_ACQUIRE_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local id, at_once, per_window, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - window)
local adaptation = redis.call('HMGET', KEYS[3], 'until', 'concurrency', 'calls_per_second')
local free_at = now
if adaptation[1] then
  at_once = math.min(at_once, math.floor(tonumber(adaptation[2])))
  free_at = math.max(free_at, tonumber(adaptation[1]))
  local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  if last[2] then free_at = math.max(free_at, last[2] + 1 / adaptation[3]) end
end
if ARGV[6] ~= '' then
  local prefix, active = ARGV[6] .. ':', 0
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if string.sub(other, 1, #prefix) == prefix then active = active + 1 end
  end
  if active >= math.max(1, math.ceil(at_once * ARGV[7])) then return {tostring(now), '', 'full', 'group'} end
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - window)
  local most = math.max(1, math.ceil(per_window * ARGV[7]))
  if redis.call('ZCARD', KEYS[4]) >= most then
    local oldest = redis.call('ZRANGE', KEYS[4], -most, -most, 'WITHSCORES')
    return {tostring(now), tostring(oldest[2] + window - now), '', 'group'}
  end
end
if redis.call('ZCARD', KEYS[2]) >= per_window then
  local oldest = redis.call('ZRANGE', KEYS[2], -per_window, -per_window, 'WITHSCORES')
  free_at = math.max(free_at, oldest[2] + window)
end
local seconds = free_at - now
if seconds > 0 then return {tostring(now), tostring(seconds), '', ''} end
if redis.call('ZCARD', KEYS[1]) >= at_once then return {tostring(now), '', 'full', ''} end
redis.call('ZADD', KEYS[1], now + ARGV[5], id)
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[5] * 2000))
for _, key in ipairs(ARGV[6] ~= '' and {KEYS[2], KEYS[4]} or {KEYS[2]}) do
  redis.call('ZADD', key, now, id)
  redis.call('PEXPIRE', key, window * 1000)
end
return {tostring(now), '', adaptation[1] and 'adapted' or '', ''}
"""


class _RedisStore:
    """Counts for all processes. A call of a killed process ends with its lease."""

    def __init__(self, name: str, redis_url: str) -> None:
        self._leases = LeaseHolder(name, redis_url)
        self._redis = self._leases.redis
        self._keys = [self._leases.key, f"starts:{name}", _get_adaptation_key(name)]
        self._acquire_script = self._redis.register_script(_ACQUIRE_SCRIPT)

    async def try_acquire(self, limits: Limits, group: str) -> CallSlot | Wait:
        if self._leases.count >= limits.max_concurrent:
            return Wait(WINDOW_SECONDS)  # a release ends the wait
        call_id = f"{group}:{uuid.uuid4().hex}"
        rates = [limits.max_concurrent, limits.max_per_minute, WINDOW_SECONDS, LEASE_SECONDS]
        now, seconds, state, scope = await self._acquire_script(
            keys=[*self._keys, self._get_group_key(call_id)], args=[call_id, *rates, group, limits.max_share]
        )
        is_for_group = scope == b"group"
        if state == b"full":  # no message tells of a release by another process
            return Wait(SLOT_POLL_SECONDS * random.uniform(0.5, 1.5), is_for_group)
        if seconds:
            return Wait(float(seconds), is_for_group)
        self._leases.keep_renewing(call_id)
        return CallSlot(call_id, float(now), state == b"adapted", self)

    def _get_group_key(self, call_id: str) -> str:
        return f"{self._keys[1]}:{call_id.rpartition(':')[0]}"

    async def release(self, call_id: str, *, was_made: bool) -> None:
        await self._leases.release(call_id)
        if not was_made:
            with contextlib.suppress(*REDIS_UNAVAILABLE_ERRORS):
                for key in (self._keys[1], self._get_group_key(call_id)):
                    await self._redis.zrem(key, call_id)

    async def load_adaptation(self) -> Adaptation | None:
        return _parse_adaptation(await self._redis.hgetall(self._keys[2]))

    async def save_adaptation(self, adaptation: Adaptation | None) -> None:
        if adaptation is None:
            await self._redis.delete(self._keys[2])
        else:
            await self._redis.hset(self._keys[2], mapping=asdict(adaptation))
            await self._redis.expire(self._keys[2], ADAPTATION_SECONDS)

    async def get_time_and_recent_calls(self) -> tuple[float, int]:
        seconds, microseconds = await self._redis.time()
        now = seconds + microseconds / 1_000_000
        return now, await self._redis.zcount(self._keys[1], now - 1, "+inf")


def _get_adaptation_key(name: str) -> str:
    return f"adaptation:{name}"


def _parse_adaptation(fields: dict[bytes, bytes]) -> Adaptation | None:
    if not fields:
        return None
    values = {name.decode(): float(value) for name, value in fields.items()}
    return Adaptation(
        values["concurrency"],
        values["calls_per_second"],
        values["until"],
        values["decreased_at"],
        int(values["refusals"]),
    )


def load_shared_adaptation(name: str, redis_url: str) -> Adaptation | None:
    """Return the adaptation of a service, shared through Redis; its times are seconds since 1970.

    Raises one of REDIS_UNAVAILABLE_ERRORS.
    """
    with create_redis(redis_url, socket_connect_timeout=1, socket_timeout=1) as redis:
        return _parse_adaptation(redis.hgetall(_get_adaptation_key(name)))
