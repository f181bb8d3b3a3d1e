"""Where cached entries lie: in this process's memory cache, or in Redis for all of them; the least recently used go."""

import time
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

VERSION_SECONDS = 7 * 24 * 3600.0  # longer than any entry lives, old ones included
SECONDS_BETWEEN_USES = 1.0  # of one entry, noted by one process: who is asked for all the time is recent anyway


class Store(Protocol):
    """What a cache needs of Django's cache. Everything may raise OSError or redis.RedisError when it is away."""

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key (None without one), and the versions as they are now ("" without one)."""

    def bump(self, name: str) -> None:
        """Give a version another value, for all processes that share the store."""

    def set(self, key: str, value: Any, seconds: float) -> None:
        """Keep a value, and drop the least recently used ones above the bound."""

    def add(self, key: str, seconds: float) -> bool:
        """Take a lock; False when somebody holds it."""

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""

    def note_use(self, key: str) -> None:
        """It was asked for just now."""


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

    def bump(self, name: str) -> None:
        """Give a version another value, for this process."""
        self._versions.set(name, uuid.uuid4().hex, VERSION_SECONDS)

    def set(self, key: str, value: Any, seconds: float) -> None:
        """Keep a value, and drop the least recently used one above the bound."""
        self._entries.set(key, value, seconds)

    def add(self, key: str, seconds: float) -> bool:
        """Take a lock; False when another thread holds it."""
        return self._locks.add(key, 1, seconds)

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._entries.delete(key)
        self._locks.delete(key)

    def note_use(self, key: str) -> None:
        """`read` has done so."""


class RedisStore:
    """Of all processes. A sorted set of last uses beside each namespace bounds it: Redis itself knows no namespaces."""

    def __init__(self, namespace: str, max_entries: int) -> None:
        self._cache: Any = caches["shared"]
        self._uses = f"uses:{namespace}"
        self._max_entries = max_entries
        self._noted: dict[str, float] = {}

    def read(self, key: str, versions: Sequence[str]) -> tuple[Any, list[str]]:
        """The value under a key and the versions, in one round trip."""
        found = self._cache.get_many([key, *versions])
        return found.get(key), [found.get(name, "") for name in versions]

    def bump(self, name: str) -> None:
        """Give a version another value, for all processes."""
        self._cache.set(name, uuid.uuid4().hex, VERSION_SECONDS)

    def set(self, key: str, value: Any, seconds: float) -> None:
        """Keep a value, and drop the least recently used ones above the bound."""
        self._cache.set(key, value, seconds)
        self._cache.zadd(self._uses, {key: time.time()})
        surplus = self._cache.zcard(self._uses) - self._max_entries
        if surplus > 0:
            self._cache.delete_many([member for member, _ in self._cache.zpopmin(self._uses, surplus)])

    def add(self, key: str, seconds: float) -> bool:
        """Take a lock; False when another process holds it."""
        return bool(self._cache.add(key, 1, seconds))

    def delete(self, key: str) -> None:
        """Drop a value or give a lock back."""
        self._cache.delete(key)

    def note_use(self, key: str) -> None:
        """It was asked for just now; told to Redis at most once a second."""
        now = time.monotonic()
        if now - self._noted.get(key, -SECONDS_BETWEEN_USES) >= SECONDS_BETWEEN_USES:
            if len(self._noted) > 10 * self._max_entries:
                self._noted.clear()
            self._noted[key] = now
            self._cache.zadd(self._uses, {key: time.time()}, xx=True)


@lru_cache
def store_of(namespace: str, max_entries: int) -> Store:
    """The store of a namespace: in Redis as soon as the site has one."""
    return (RedisStore if settings.REDIS_URL else MemoryStore)(namespace, max_entries)
