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

VERSION_SECONDS = 7 * 24 * 3600.0  # longer than any entry lives, old ones included
SECONDS_BETWEEN_USES = 1.0  # of one entry, noted by one process: who is asked for all the time is recent anyway


class Store(Protocol):
    """What a cache needs. Everything may raise OSError or redis.RedisError when it is away."""

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key (None without one), and the versions as they are now ("" without one)."""

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The same from an event loop, which goes on meanwhile."""

    def bump(self, name: str) -> None:
        """Give a version another value, for all processes that share the store."""

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used ones above the bound, and give a lock back."""

    def take(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when somebody holds it), and after that `read`."""

    def hold(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on, and do not give it back."""

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""

    def note_use(self, key: str) -> None:
        """It was asked for just now."""

    async def anote_use(self, key: str) -> None:
        """The same from an event loop."""


class MemoryStore:
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

    def bump(self, name: str) -> None:
        """Give a version another value, for this process."""
        self._versions.set(name, uuid.uuid4().hex, VERSION_SECONDS)

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used one above the bound, and give a lock back."""
        self._entries.set(key, value, seconds)
        self._locks.delete(lock)

    def take(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when another thread holds it), and after that `read`."""
        return self._locks.add(lock, 1, seconds), *self.read(key, versions)

    def hold(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on."""
        self._locks.set(lock, 1, seconds)

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._entries.delete(key)
        self._locks.delete(key)

    def note_use(self, key: str) -> None:
        """`read` has done so."""

    async def anote_use(self, key: str) -> None:
        """`aread` has done so."""


class RedisStore:
    """Of all processes. A sorted set of last uses beside each namespace bounds it: Redis itself knows no namespaces."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        self._redis: Any = Redis.from_url(settings.REDIS_URL, **TIMEOUTS)
        self._uses = _redis_name(f"uses:{namespace}")
        self._max_entries = max_entries
        self._noted: dict[str, float] = {}

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key and the versions, in one round trip."""
        return _decoded(self._redis.mget(_redis_names(key, versions)))

    async def aread(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The same from an event loop."""
        return _decoded(await _redis_of_loop().mget(_redis_names(key, versions)))

    def bump(self, name: str) -> None:
        """Give a version another value, for all processes."""
        self._redis.set(_redis_name(name), orjson.dumps(uuid.uuid4().hex), px=int(1000 * VERSION_SECONDS))

    def set(self, key: str, value: Any, seconds: float, lock: str = "") -> None:
        """Keep a value, drop the least recently used ones above the bound, and give a lock back."""
        several = self._redis.pipeline(transaction=False)
        several.set(_redis_name(key), orjson.dumps(value), px=_milliseconds(seconds))
        several.zadd(self._uses, {key: time.time()})
        if lock:
            several.delete(_redis_name(lock))
        several.zcard(self._uses)
        surplus = several.execute()[-1] - self._max_entries
        if surplus > 0:
            self._redis.delete(*(_redis_name(key.decode()) for key, _ in self._redis.zpopmin(self._uses, surplus)))

    def take(self, lock: str, seconds: float, key: str, versions: Sequence[str]) -> tuple[bool, Any, list[str]]:
        """Take a lock (False when another process holds it), and after that `read`: in one round trip."""
        several = self._redis.pipeline(transaction=False)
        several.set(_redis_name(lock), 1, px=_milliseconds(seconds), nx=True)
        several.mget(_redis_names(key, versions))
        is_taken, found = several.execute()
        return bool(is_taken), *_decoded(found)

    def hold(self, lock: str, seconds: float) -> None:
        """Keep a lock that was taken for so long from now on."""
        self._redis.set(_redis_name(lock), 1, px=_milliseconds(seconds))

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._redis.delete(_redis_name(key))

    def note_use(self, key: str) -> None:
        """It was asked for just now; told to Redis at most once a second."""
        if self._is_to_be_noted(key):
            self._redis.zadd(self._uses, {key: time.time()}, xx=True)

    async def anote_use(self, key: str) -> None:
        """The same from an event loop."""
        if self._is_to_be_noted(key):
            await _redis_of_loop().zadd(self._uses, {key: time.time()}, xx=True)

    def _is_to_be_noted(self, key: str) -> bool:
        now = time.monotonic()
        if now - self._noted.get(key, -SECONDS_BETWEEN_USES) < SECONDS_BETWEEN_USES:
            return False
        if len(self._noted) > 10 * self._max_entries:
            self._noted.clear()
        self._noted[key] = now
        return True


TIMEOUTS: dict[str, Any] = {"socket_connect_timeout": 1, "socket_timeout": 1}
_redis_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncRedis] = WeakKeyDictionary()


def _redis_of_loop() -> Any:
    loop = asyncio.get_running_loop()
    if loop not in _redis_clients:
        _redis_clients[loop] = AsyncRedis.from_url(settings.REDIS_URL, **TIMEOUTS)
    return _redis_clients[loop]


def _milliseconds(seconds: float) -> int:
    return max(1, int(1000 * seconds))


def _redis_name(key: str) -> str:
    return f"cache:1:{key}"


def _redis_names(key: str, versions: Sequence[str]) -> list[str]:
    return [_redis_name(name) for name in (key, *versions)]


def _decoded(found: Sequence[bytes | None]) -> tuple[Any, list[str]]:
    value, *versions = ("" if text is None else orjson.loads(text) for text in found)
    return value or None, versions


@lru_cache
def store_of(namespace: str, max_entries: int) -> Store:
    """The store of a namespace: in Redis as soon as the site has one."""
    return (RedisStore if settings.REDIS_URL else MemoryStore)(namespace, max_entries)
