"""How fresh: a thin face on Django's cache that loads once, never late, and serves what it has when a load fails.

    reports = get_cache(ttl=300, namespace="reports")
    body = reports.load(key, make_body, about=[f"diagnosis:{pk}"])
    ...
    touch(f"diagnosis:{pk}")        # in the transaction that changes it

- One load of a cold key at a time: threads of a process share it, processes leave it to whoever has the lock.
- An entry is loaded again a little early, by one caller, the sooner the longer a load takes (optimal probabilistic
  early expiration: Vattani, Chierichetti, Lowenstein, VLDB 2015); and lifetimes differ by up to a tenth, so that what
  was stored together does not end together.
- An entry remembers the versions of what it is about as they were before its load began. `invalidate_tags` changes a
  version after the commit, so an entry that was loaded from before a change is never served after it.
- A load that fails is answered by the old entry, if there is one. A store that is away costs a load, never an error.
"""

import asyncio
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from django.db import transaction

from performance.cache_backends import CacheBackend, get_cache_backend
from performance.circuit_breaker import cache_breaker, tolerate_unavailable_store
from performance.metrics import cache_lookups

log = structlog.get_logger(__name__)

DEFAULT_TTL_SECONDS = 300.0
DEFAULT_MAX_ENTRIES = 1000
LOAD_LOCK_SECONDS = 10.0  # how long the others wait for one that loads; longer loads are made twice
FAILED_LOAD_RETRY_SECONDS = 1.0  # after a failed load the old entry is good for so long
LOCK_POLL_INTERVAL_SECONDS = 0.02


@dataclass(frozen=True)
class _Entry:
    """value: anything that can be written as JSON; until: when it is due, in epoch seconds."""

    value: Any
    expires_at: float
    load_seconds: float
    versions: list[str]

    def is_refresh_due(self) -> bool:
        """Past its time, or drawn to be loaded a little early."""
        early = -self.load_seconds * math.log(1.0 - random.random())
        return time.time() + early >= self.expires_at


@dataclass(frozen=True)
class _LookupResult:
    """What a look-up has found. versions: those of what the entry is about, as they are now; None without a store."""

    entry: _Entry | None
    versions: list[str] | None

    @property
    def is_away(self) -> bool:
        """Whether the store is."""
        return self.versions is None


_STORE_UNAVAILABLE = _LookupResult(None, None)


class Cache:
    """One namespace of the cache; made by `get_cache`. Keys are short texts, values anything that JSON can tell."""

    def __init__(self, namespace: str, ttl: float, max_entries: int) -> None:
        self.namespace, self.ttl = namespace, ttl
        self._max_entries = max_entries
        self._in_flight: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self.lookups: Counter[str] = Counter()

    @property
    def hit_rate(self) -> float | None:
        """Share of this process's look-ups that were answered at once, 0-1; None before the first."""
        total = sum(self.lookups.values())
        return self.lookups["hit"] / total if total else None

    def get(self, key: str, default: Any = None) -> Any:
        """The value under a key, or the default."""
        found = self._read_entry(key, ())
        is_hit = found.entry is not None and found.entry.expires_at > time.time()
        self._count_lookup("hit" if is_hit else "error" if found.is_away else "miss")
        return found.entry.value if found.entry and is_hit else default

    def set(self, key: str, value: Any, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """Keep a value for `ttl` seconds (the cache's own when None)."""
        versions = self._read_tag_versions(tags)
        if versions is not None:
            self._store_entry(key, value, self.ttl if ttl is None else ttl, 0.0, versions)

    def delete(self, key: str) -> None:
        """Forget a key. In a transaction use `invalidate_tags`: another reader could store the old state once more."""
        with tolerate_unavailable_store():
            self._backend.delete(self._build_entry_key(key))

    def load(self, key: str, loader: Callable[[], Any], *, tags: Sequence[str] = ()) -> Any:
        """The value under a key, loaded when it is missing, due, or when something that it is about was touched.

        Raises what the loader raises when there is no old value to give instead.
        """
        found = self._read_entry(key, tags)
        if found.entry is not None and not found.entry.is_refresh_due():
            self._count_lookup("hit")
            return found.entry.value
        return self._load_or_wait(key, loader, tags, found)

    def _load_or_wait(self, key: str, loader: Callable[[], Any], tags: Sequence[str], found: _LookupResult) -> Any:
        """After a look-up that was no hit."""
        entry = found.entry
        flight, is_mine = self._join(key)
        if not is_mine:
            self._count_lookup("miss" if entry is None else "stale")
            return flight.result() if entry is None else entry.value
        try:
            value = self._load_or_reuse(key, loader, tags, found)
        except BaseException as error:
            self._leave(key, flight)
            flight.set_exception(error)
            raise
        self._leave(key, flight)
        flight.set_result(value)
        return value

    async def aget(self, key: str, default: Any = None) -> Any:
        """`get` for the event loop."""
        return await sync_to_async(self.get, thread_sensitive=False)(key, default)

    async def aset(self, key: str, value: Any, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """`set` for the event loop."""
        await sync_to_async(self.set, thread_sensitive=False)(key, value, ttl, tags=tags)

    async def adelete(self, key: str) -> None:
        """`delete` for the event loop."""
        await sync_to_async(self.delete, thread_sensitive=False)(key)

    async def aload(self, key: str, loader: Callable[[], Awaitable[Any]], *, tags: Sequence[str] = ()) -> Any:
        """`load` with a coroutine function; it runs in the caller's event loop."""
        loop = asyncio.get_running_loop()

        async def in_loop() -> Any:
            return await loader()

        def load() -> Any:
            return asyncio.run_coroutine_threadsafe(in_loop(), loop).result()

        return await self._aload_or_wait(key, load, tags, thread_sensitive=False)

    async def aload_blocking(self, key: str, loader: Callable[[], Any], *, tags: Sequence[str] = ()) -> Any:
        """`load` for the event loop, which a hit never leaves; the loader runs in the request's own thread."""
        return await self._aload_or_wait(key, loader, tags, thread_sensitive=True)

    async def _aload_or_wait(
        self, key: str, loader: Callable[[], Any], tags: Sequence[str], *, thread_sensitive: bool
    ) -> Any:
        found = await self._aread_entry(key, tags)
        if found.entry is not None and not found.entry.is_refresh_due():
            self._count_lookup("hit")
            return found.entry.value
        load_or_wait = sync_to_async(self._load_or_wait, thread_sensitive=thread_sensitive)
        return await load_or_wait(key, loader, tags, found)

    # One load at a time ------------------------------------------------------------------------------------------

    def _join(self, key: str) -> tuple[Future[Any], bool]:
        with self._lock:
            flight = self._in_flight.get(key)
            if flight is not None:
                return flight, False
            flight = self._in_flight[key] = Future()
            return flight, True

    def _leave(self, key: str, flight: Future[Any]) -> None:
        with self._lock:
            if self._in_flight.get(key) is flight:
                del self._in_flight[key]

    def _load_or_reuse(self, key: str, loader: Callable[[], Any], tags: Sequence[str], found: _LookupResult) -> Any:
        """Load it, or take what another has just loaded."""
        if found.is_away:
            self._count_lookup("error")
            return loader()
        entry = found.entry
        is_mine, latest = self._acquire_lock(key, tags)
        if entry is not None and not is_mine:
            self._count_lookup("stale" if entry.expires_at <= time.time() else "hit")
            return entry.value
        if latest.entry is None and not is_mine:
            is_mine, latest = self._wait_for_entry_or_lock(key, tags)
        # Between our look and the lock, another may have loaded and given it back.
        if latest.entry is not None and (entry is None or latest.entry.expires_at > entry.expires_at):
            if is_mine:
                self._release_lock(key)
            self._count_lookup("miss" if entry is None else "hit")
            return latest.entry.value
        return self._run_loader(key, loader, latest.versions, entry)

    def _wait_for_entry_or_lock(self, key: str, tags: Sequence[str]) -> tuple[bool, _LookupResult]:
        """Until there is an entry, or a lock to load it with, or no store any more, or it has taken too long."""
        deadline = time.monotonic() + LOAD_LOCK_SECONDS
        while True:
            time.sleep(LOCK_POLL_INTERVAL_SECONDS)
            is_mine, found = self._acquire_lock(key, tags)
            if is_mine or found.entry is not None or found.is_away or time.monotonic() > deadline:
                return is_mine, found

    def _run_loader(self, key: str, loader: Callable[[], Any], versions: list[str] | None, entry: _Entry | None) -> Any:
        """versions: as they were before this load begins."""
        started = time.monotonic()
        try:
            value = loader()
        except Exception as error:
            if entry is None:
                self._release_lock(key)
                raise
            # The lock is left to run out, so that a broken source is asked once a second.
            with tolerate_unavailable_store():
                self._backend.extend_lock(self._build_lock_key(key), FAILED_LOAD_RETRY_SECONDS)
            self._count_lookup("stale")
            log.warning("cache_serves_stale", namespace=self.namespace, error=repr(error))
            return entry.value
        if versions is None:
            self._release_lock(key)
        else:
            self._store_entry(key, value, self.ttl, time.monotonic() - started, versions, self._build_lock_key(key))
        self._count_lookup("miss")
        return value

    # The store ---------------------------------------------------------------------------------------------------

    @property
    def _backend(self) -> CacheBackend:
        return get_cache_backend(self.namespace, self._max_entries)

    def _build_entry_key(self, key: str) -> str:
        return f"{self.namespace}:{key}"

    def _build_lock_key(self, key: str) -> str:
        return f"lock:{self._build_entry_key(key)}"

    def _read_entry(self, key: str, tags: Sequence[str]) -> _LookupResult:
        """The entry unless something it is about has changed."""
        name = self._build_entry_key(key)
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                _flush_pending_bumps()
                found = _parse_lookup(*self._backend.read(name, _build_version_keys(tags)))
                if found.entry is not None:
                    self._backend.record_use(name)
                return found
        return _STORE_UNAVAILABLE

    async def _aread_entry(self, key: str, tags: Sequence[str]) -> _LookupResult:
        """The same without leaving the event loop."""
        name = self._build_entry_key(key)
        if _pending_bumps:  # they are told by calls that block
            return await sync_to_async(self._read_entry, thread_sensitive=False)(key, tags)
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                found = _parse_lookup(*await self._backend.aread(name, _build_version_keys(tags)))
                if found.entry is not None:
                    await self._backend.arecord_use(name)
                return found
        return _STORE_UNAVAILABLE

    def _read_tag_versions(self, tags: Sequence[str]) -> list[str] | None:
        """As they are now; None when the store is away."""
        with tolerate_unavailable_store():
            return self._backend.read("", _build_version_keys(tags))[1] if tags else []
        return None

    def _store_entry(
        self, key: str, value: Any, ttl: float, load_seconds: float, versions: list[str], lock: str = ""
    ) -> None:
        until = time.time() + ttl * random.uniform(0.9, 1.0)
        with tolerate_unavailable_store():
            # Kept twice as long as it is good: the second half is for when a load fails.
            self._backend.set(self._build_entry_key(key), [value, until, load_seconds, versions], 2 * ttl, lock)

    def _acquire_lock(self, key: str, tags: Sequence[str]) -> tuple[bool, _LookupResult]:
        """Whether it was free (as it is without a store), and what a look-up finds now."""
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                _flush_pending_bumps()
                lock, name = self._build_lock_key(key), self._build_entry_key(key)
                is_mine, *found = self._backend.acquire_lock(lock, LOAD_LOCK_SECONDS, name, _build_version_keys(tags))
                return is_mine, _parse_lookup(*found)
        return True, _STORE_UNAVAILABLE

    def _release_lock(self, key: str) -> None:
        with tolerate_unavailable_store():
            self._backend.delete(self._build_lock_key(key))

    def _count_lookup(self, result: str) -> None:
        self.lookups[result] += 1
        cache_lookups.labels(namespace=self.namespace, result=result).inc()


def _parse_lookup(raw: Any, versions: list[str]) -> _LookupResult:
    """An entry as it lies in the store, if it was loaded from what is there now."""
    is_current = raw is not None and raw[3] == versions
    return _LookupResult(_Entry(*raw) if is_current else None, versions)


@lru_cache
def get_cache(
    ttl: float = DEFAULT_TTL_SECONDS, *, namespace: str = "default", max_entries: int = DEFAULT_MAX_ENTRIES
) -> Cache:
    """The cache of a namespace. ttl: seconds that an entry is good for."""
    if ttl <= 0 or max_entries < 1:
        raise ValueError("ttl must be more than 0 and max_entries at least 1")
    return Cache(namespace, ttl, max_entries)


# What entries are about -----------------------------------------------------------------------------------------------


def invalidate_tags(*tags: str) -> None:
    """Something has changed: after the commit, no entry that is about one of these names is served any more."""
    transaction.on_commit(partial(_bump_tag_versions, tags))


def _bump_tag_versions(tags: Iterable[str]) -> None:
    _pending_bumps.update(tags)
    with tolerate_unavailable_store():
        _flush_pending_bumps()


_pending_bumps: set[str] = set()  # whose change could not be told yet, for want of a store


def _flush_pending_bumps() -> None:
    for tag in list(_pending_bumps):
        get_cache_backend("versions", DEFAULT_MAX_ENTRIES).bump_version(_build_version_key(tag))
        _pending_bumps.discard(tag)


def _build_version_key(tag: str) -> str:
    return f"version:{tag}"


def _build_version_keys(tags: Sequence[str]) -> list[str]:
    return [_build_version_key(one) for one in tags]
