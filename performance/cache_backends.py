"""Where cached entries lie: in this process's memory cache, or in Redis for all of them; the least recently used go."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import orjson
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

VERSION_TTL_SECONDS = 7 * 24 * 3600.0  # longer than any entry lives, old ones included
USE_RECORD_INTERVAL_SECONDS = 1.0  # of one entry, noted by one process: who is asked for all the time is recent anyway


class CacheBackend(Protocol):
    """What a cache needs. Everything may raise OSError or redis.RedisError when it is away."""

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key (None without one), and the versions as they are now ("" without one)."""

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The same from an event loop, which goes on meanwhile."""

    def bump_version(self, name: str) -> None:
        """Give a version another value, for all processes that share the store."""

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used ones above the bound, and give a lock back."""

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when somebody holds it), and after that `read`."""

    def extend_lock(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on, and do not give it back."""

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""

    def record_use(self, key: str) -> None:
        """It was asked for just now."""

    async def arecord_use(self, key: str) -> None:
        """The same from an event loop."""


class MemoryCacheBackend:
    """Of this process alone; each instance has entries of its own."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        # With a cull of 1 / MAX_ENTRIES one entry goes at a time; Django's default drops a third.
        bounds = {"MAX_ENTRIES": max_entries, "CULL_FREQUENCY": max_entries}
        self._entries = LocMemCache(uuid.uuid4().hex, {"OPTIONS": bounds})
        self._locks = LocMemCache("performance.locks", {"OPTIONS": {"MAX_ENTRIES": 10_000}})
        self._versions = LocMemCache("performance.versions", {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key, which is the most recently used one now, and the versions."""
        return self._entries.get(key), [self._versions.get(name, "") for name in versions]

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The same: memory does not wait."""
        return self.read(key, versions)

    def bump_version(self, name: str) -> None:
        """Give a version another value, for this process."""
        self._versions.set(name, uuid.uuid4().hex, VERSION_TTL_SECONDS)

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used one above the bound, and give a lock back."""
        self._entries.set(key, value, seconds)
        self._locks.delete(lock)

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when another thread holds it), and after that `read`."""
        return self._locks.add(lock, 1, seconds), *self.read(key, versions)

    def extend_lock(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on."""
        self._locks.set(lock, 1, seconds)

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._entries.delete(key)
        self._locks.delete(key)

    def record_use(self, key: str) -> None:
        """`read` has done so."""

    async def arecord_use(self, key: str) -> None:
        """`aread` has done so."""


class RedisCacheBackend:
    """Of all processes. A sorted set of last uses beside each namespace bounds it: Redis itself knows no namespaces."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        self._redis: Any = Redis.from_url(settings.REDIS_URL, **REDIS_TIMEOUTS)
        self._last_uses_key = _build_redis_key(f"uses:{namespace}")
        self._max_entries = max_entries
        self._use_recorded_at: dict[str, float] = {}

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key and the versions, in one round trip."""
        return _decode_values(self._redis.mget(_build_redis_keys(key, versions)))

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The same from an event loop."""
        return _decode_values(await _get_async_redis().mget(_build_redis_keys(key, versions)))

    def bump_version(self, name: str) -> None:
        """Give a version another value, for all processes."""
        self._redis.set(_build_redis_key(name), orjson.dumps(uuid.uuid4().hex), px=int(1000 * VERSION_TTL_SECONDS))

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used ones above the bound, and give a lock back."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_build_redis_key(key), orjson.dumps(value), px=_to_milliseconds(seconds))
        pipeline.zadd(self._last_uses_key, {key: time.time()})
        if lock:
            pipeline.delete(_build_redis_key(lock))
        pipeline.zcard(self._last_uses_key)
        surplus = pipeline.execute()[-1] - self._max_entries
        if surplus > 0:
            self._redis.delete(
                *(_build_redis_key(key.decode()) for key, _ in self._redis.zpopmin(self._last_uses_key, surplus))
            )

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when another process holds it), and after that `read`: in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_build_redis_key(lock), 1, px=_to_milliseconds(seconds), nx=True)
        pipeline.mget(_build_redis_keys(key, versions))
        is_acquired, found = pipeline.execute()
        return bool(is_acquired), *_decode_values(found)

    def extend_lock(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on."""
        self._redis.set(_build_redis_key(lock), 1, px=_to_milliseconds(seconds))

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._redis.delete(_build_redis_key(key))

    def record_use(self, key: str) -> None:
        """It was asked for just now; told to Redis at most once a second."""
        if self._is_use_record_due(key):
            self._redis.zadd(self._last_uses_key, {key: time.time()}, xx=True)

    async def arecord_use(self, key: str) -> None:
        """The same from an event loop."""
        if self._is_use_record_due(key):
            await _get_async_redis().zadd(self._last_uses_key, {key: time.time()}, xx=True)

    def _is_use_record_due(self, key: str) -> bool:
        now = time.monotonic()
        if now - self._use_recorded_at.get(key, -USE_RECORD_INTERVAL_SECONDS) < USE_RECORD_INTERVAL_SECONDS:
            return False
        if len(self._use_recorded_at) > 10 * self._max_entries:
            self._use_recorded_at.clear()
        self._use_recorded_at[key] = now
        return True


REDIS_TIMEOUTS: dict[str, Any] = {"socket_connect_timeout": 1, "socket_timeout": 1}
_async_redis_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncRedis] = WeakKeyDictionary()


def _get_async_redis() -> Any:
    loop = asyncio.get_running_loop()
    if loop not in _async_redis_clients:
        _async_redis_clients[loop] = AsyncRedis.from_url(settings.REDIS_URL, **REDIS_TIMEOUTS)
    return _async_redis_clients[loop]


def _to_milliseconds(seconds: float) -> int:
    return max(1, int(1000 * seconds))


def _build_redis_key(key: str) -> str:
    return f"cache:1:{key}"


def _build_redis_keys(key: str, versions: Sequence[str]) -> list[str]:
    return [_build_redis_key(name) for name in (key, *versions)]


def _decode_values(found: Sequence[bytes | None]) -> tuple[Any, list[str]]:
    value, *versions = ("" if text is None else orjson.loads(text) for text in found)
    return value or None, versions


@lru_cache
def get_cache_backend(namespace: str, max_entries: int) -> CacheBackend:
    """The store of a namespace: in Redis as soon as the site has one."""
    return (RedisCacheBackend if settings.REDIS_URL else MemoryCacheBackend)(namespace, max_entries)
