"""Stores of the cache: memory of one process, or Redis for all. Both evict the least recently used entries."""

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
from redis.asyncio import Redis as AsyncRedis

from performance.redis_clients import create_async_redis, create_redis

VERSION_TTL_SECONDS = 7 * 24 * 3600.0  # longer than the lifetime of any entry
USE_RECORD_INTERVAL_SECONDS = 1.0  # per entry and process; an entry in constant use stays recent


class CacheBackend(Protocol):
    """Store of a namespace. Every method may raise one of REDIS_UNAVAILABLE_ERRORS."""

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """Return the value of a key (None if missing) and the current versions ("" if missing)."""

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """`read` for the event loop."""

    def bump_version(self, name: str) -> None:
        """Change a version, for all processes that share the store."""

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Store a value, evict the least recently used entries above the limit, and release a lock."""

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Try to acquire a lock, then `read`. The first value is False when the lock is held by another caller."""

    def extend_lock(self, lock: str, seconds: float) -> None:
        """Hold an acquired lock for so long from now on."""

    def delete(self, key: str) -> None:
        """Delete a value or release a lock."""

    def list_keys(self) -> list[str]:
        """Return the keys of the entries, also of those that have expired or are invalid."""

    def record_use(self, key: str) -> None:
        """Mark an entry as the most recently used."""

    async def arecord_use(self, key: str) -> None:
        """`record_use` for the event loop."""


class MemoryCacheBackend:
    """Entries of one instance in the memory of this process; locks and versions are shared by all instances."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        # With CULL_FREQUENCY = MAX_ENTRIES one entry is evicted at a time; Django's default evicts a third.
        bounds = {"MAX_ENTRIES": max_entries, "CULL_FREQUENCY": max_entries}
        self._entries = LocMemCache(uuid.uuid4().hex, {"OPTIONS": bounds})
        self._locks = LocMemCache("performance.locks", {"OPTIONS": {"MAX_ENTRIES": 10_000}})
        self._versions = LocMemCache("performance.versions", {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        return self._entries.get(key), [self._versions.get(name, "") for name in versions]

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        return self.read(key, versions)

    def bump_version(self, name: str) -> None:
        self._versions.set(name, uuid.uuid4().hex, VERSION_TTL_SECONDS)

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        self._entries.set(key, value, seconds)
        self._locks.delete(lock)

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        return self._locks.add(lock, 1, seconds), *self.read(key, versions)

    def extend_lock(self, lock: str, seconds: float) -> None:
        self._locks.set(lock, 1, seconds)

    def delete(self, key: str) -> None:
        self._entries.delete(key)
        self._locks.delete(key)

    def list_keys(self) -> list[str]:
        return [key.split(":", 2)[2] for key in list(self._entries._cache)]  # type: ignore[attr-defined]

    def record_use(self, key: str) -> None:
        """`read` has done so already."""

    async def arecord_use(self, key: str) -> None:
        """`aread` has done so already."""


class RedisCacheBackend:
    """Entries of a namespace in Redis, for all processes. A sorted set of the last uses limits their number."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        self._redis: Any = create_redis(settings.REDIS_URL, **REDIS_TIMEOUTS)
        self._last_uses_key = _build_redis_key(f"uses:{namespace}")
        self._max_entries = max_entries
        self._use_recorded_at: dict[str, float] = {}

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        return _decode_values(self._redis.mget(_build_redis_keys(key, versions)))

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        return _decode_values(await _get_async_redis().mget(_build_redis_keys(key, versions)))

    def bump_version(self, name: str) -> None:
        self._redis.set(_build_redis_key(name), orjson.dumps(uuid.uuid4().hex), px=int(1000 * VERSION_TTL_SECONDS))

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_build_redis_key(key), orjson.dumps(value), px=_to_milliseconds(seconds))
        pipeline.zadd(self._last_uses_key, {key: time.time()})
        if lock:
            pipeline.delete(_build_redis_key(lock))
        pipeline.zcard(self._last_uses_key)
        surplus = pipeline.execute()[-1] - self._max_entries
        if surplus > 0:
            evicted = self._redis.zpopmin(self._last_uses_key, surplus)
            self._redis.delete(*(_build_redis_key(evicted_key.decode()) for evicted_key, _ in evicted))

    def acquire_lock(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_build_redis_key(lock), 1, px=_to_milliseconds(seconds), nx=True)
        pipeline.mget(_build_redis_keys(key, versions))
        is_acquired, raw_values = pipeline.execute()
        return bool(is_acquired), *_decode_values(raw_values)

    def extend_lock(self, lock: str, seconds: float) -> None:
        self._redis.set(_build_redis_key(lock), 1, px=_to_milliseconds(seconds))

    def delete(self, key: str) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(_build_redis_key(key))
        pipeline.zrem(self._last_uses_key, key)
        pipeline.execute()

    def list_keys(self) -> list[str]:
        return [key.decode() for key in self._redis.zrange(self._last_uses_key, 0, -1)]

    def record_use(self, key: str) -> None:
        """Write to Redis at most once per USE_RECORD_INTERVAL_SECONDS."""
        if self._is_use_record_due(key):
            self._redis.zadd(self._last_uses_key, {key: time.time()}, xx=True)

    async def arecord_use(self, key: str) -> None:
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
        _async_redis_clients[loop] = create_async_redis(settings.REDIS_URL, **REDIS_TIMEOUTS)
    return _async_redis_clients[loop]


def _to_milliseconds(seconds: float) -> int:
    return max(1, int(1000 * seconds))


def _build_redis_key(key: str) -> str:
    return f"cache:1:{key}"


def _build_redis_keys(key: str, versions: Sequence[str]) -> list[str]:
    return [_build_redis_key(name) for name in (key, *versions)]


def _decode_values(raw_values: Sequence[bytes | None]) -> tuple[Any, list[str]]:
    value, *versions = ("" if text is None else orjson.loads(text) for text in raw_values)
    return value or None, versions


@lru_cache
def get_cache_backend(namespace: str, max_entries: int) -> CacheBackend:
    """Return the store of a namespace: Redis if it is configured, otherwise memory."""
    return (RedisCacheBackend if settings.REDIS_URL else MemoryCacheBackend)(namespace, max_entries)
