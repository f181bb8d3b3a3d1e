"""A cache on memory or Redis: single flight, early refresh, tags, and stale entries when a load fails.

    reports = get_cache(ttl=300, namespace="reports")
    body = reports.load(key, build_body, tags=[f"diagnosis:{pk}"])
    ...
    invalidate_tags(f"diagnosis:{pk}")  # in the transaction that changes it

- One load of a missing key at a time: threads of a process share it; across processes the holder of a lock loads.
- One caller reloads an entry shortly before it expires, earlier if the load takes longer (optimal probabilistic early
  expiration: Vattani, Chierichetti, Lowenstein, VLDB 2015). Lifetimes vary by up to a tenth, so that entries stored
  together do not expire together.
- An entry stores the versions of its tags as they were before its load began. `invalidate_tags` changes a version
  after the commit, so an entry loaded before a change is never served after it.
- When a load fails, the old entry is served if there is one. While Redis is unavailable, each lookup costs a load.
"""

import math
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
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
LOAD_LOCK_SECONDS = 10.0  # how long other callers wait for a load; a longer load is repeated by one of them
FAILED_LOAD_RETRY_SECONDS = 1.0  # how long the old entry is served after a failed load
LOCK_POLL_INTERVAL_SECONDS = 0.02


@dataclass(frozen=True)
class _Entry:
    value: Any  # JSON
    expires_at: float  # Unix time
    load_seconds: float
    versions: list[str]

    def is_refresh_due(self) -> bool:
        """Whether the entry has expired or is selected at random for an early refresh."""
        early_seconds = -self.load_seconds * math.log(1.0 - random.random())
        return time.time() + early_seconds >= self.expires_at


@dataclass(frozen=True)
class _LookupResult:
    """versions: the current versions of the entry's tags; None while the store is unavailable."""

    entry: _Entry | None
    versions: list[str] | None

    @property
    def is_store_unavailable(self) -> bool:
        return self.versions is None


_STORE_UNAVAILABLE = _LookupResult(None, None)


class Cache:
    """One namespace of the cache, created by `get_cache`. Keys are short strings, values anything that JSON allows."""

    def __init__(self, namespace: str, ttl: float, max_entries: int) -> None:
        self.namespace, self.ttl = namespace, ttl
        self._max_entries = max_entries
        self._in_flight: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self.lookups: Counter[str] = Counter()
        self._looked_up: OrderedDict[str, float] = OrderedDict()  # key -> when, of the last `max_entries` keys

    @property
    def hit_rate(self) -> float | None:
        """Share of this process's lookups that were hits, 0-1, without those that could not be; None before any."""
        total = sum(self.lookups.values()) - self.lookups["cold"]
        return self.lookups["hit"] / total if total else None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        lookup = self._read_entry(key, ())
        is_hit = lookup.entry is not None and lookup.entry.expires_at > time.time()
        self._count_lookup(key, "hit" if is_hit else "error" if lookup.is_store_unavailable else "miss")
        return lookup.entry.value if lookup.entry and is_hit else default

    def set(self, key: str, value: Any, ttl: float | None = None, *, tags: Sequence[str] = ()) -> None:
        """Store a value for `ttl` seconds (None: the cache's own)."""
        with tolerate_unavailable_store():
            versions = self._backend.read("", _build_version_keys(tags))[1] if tags else []
            self._store_entry(key, value, self.ttl if ttl is None else ttl, 0.0, versions)

    def delete(self, key: str) -> None:
        """Remove a key. In a transaction use `invalidate_tags`: another reader could store the old state again."""
        with tolerate_unavailable_store():
            self._backend.delete(self._build_entry_key(key))

    def find_keys(self, text: str) -> list[str]:
        """Return the keys of stored entries that contain a text, also of invalidated ones; empty without the store."""
        with tolerate_unavailable_store():
            prefix = self._build_entry_key("")
            return [key.removeprefix(prefix) for key in self._backend.list_keys() if text in key]
        return []

    def load(
        self,
        key: str,
        loader: Callable[[], Any],
        *,
        tags: Sequence[str] = (),
        check: Callable[[], object] | None = None,
    ) -> Any:
        """Return the value of a key; load it if it is missing or due, or if one of its tags has been invalidated.

        check: raises if this caller may not cause a load; called before it loads, or waits for one, not for a hit.
        Raises what the loader raises when there is no old value to return.
        """
        lookup = self._read_entry(key, tags)
        if lookup.entry is not None and not lookup.entry.is_refresh_due():
            self._count_lookup(key, "hit")
            return lookup.entry.value
        return self._load_or_wait(key, loader, tags, lookup, check)

    async def aload_blocking(
        self,
        key: str,
        loader: Callable[[], Any],
        *,
        tags: Sequence[str] = (),
        check: Callable[[], object] | None = None,
    ) -> Any:
        """`load` for the event loop: a hit does not use a thread; a blocking loader runs in the request's thread."""
        lookup = await self._aread_entry(key, tags)
        if lookup.entry is not None and not lookup.entry.is_refresh_due():
            self._count_lookup(key, "hit")
            return lookup.entry.value
        return await sync_to_async(self._load_or_wait)(key, loader, tags, lookup, check)

    # Single flight -----------------------------------------------------------------------------------------------

    def _load_or_wait(
        self,
        key: str,
        loader: Callable[[], Any],
        tags: Sequence[str],
        lookup: _LookupResult,
        check: Callable[[], object] | None = None,
    ) -> Any:
        """Load after a miss, or wait for another thread of this process that is loading the key."""
        if check is not None:
            check()
        entry = lookup.entry
        with self._lock:
            flight = self._in_flight.get(key)
            is_own_flight = flight is None
            if flight is None:
                flight = self._in_flight[key] = Future()
        if not is_own_flight:
            self._count_lookup(key, "miss" if entry is None else "stale")
            return flight.result() if entry is None else entry.value
        try:
            value = self._load_or_reuse(key, loader, tags, lookup)
        except BaseException as error:
            self._in_flight.pop(key)
            flight.set_exception(error)
            raise
        self._in_flight.pop(key)
        flight.set_result(value)
        return value

    def _load_or_reuse(self, key: str, loader: Callable[[], Any], tags: Sequence[str], lookup: _LookupResult) -> Any:
        """Load the value, or take the one that another process has just stored or is loading."""
        if lookup.is_store_unavailable:
            self._count_lookup(key, "error")
            return loader()
        entry = lookup.entry
        is_acquired, latest = self._acquire_lock(key, tags)
        if entry is not None and not is_acquired:
            self._count_lookup(key, "stale" if entry.expires_at <= time.time() else "hit")
            return entry.value
        deadline = time.monotonic() + LOAD_LOCK_SECONDS
        while not (is_acquired or latest.entry or latest.is_store_unavailable or time.monotonic() > deadline):
            time.sleep(LOCK_POLL_INTERVAL_SECONDS)
            is_acquired, latest = self._acquire_lock(key, tags)
        # Between the lookup and the lock, another process may have loaded the value and released the lock.
        if latest.entry is not None and (entry is None or latest.entry.expires_at > entry.expires_at):
            if is_acquired:
                self._release_lock(key)
            self._count_lookup(key, "miss" if entry is None else "hit")
            return latest.entry.value
        return self._run_loader(key, loader, latest.versions, entry)

    def _run_loader(self, key: str, loader: Callable[[], Any], versions: list[str] | None, entry: _Entry | None) -> Any:
        """Load and store the value. versions: of the tags, read before the load."""
        started = time.monotonic()
        try:
            value = loader()
        except Exception as error:
            if entry is None:
                self._release_lock(key)
                raise
            # The lock is kept until it expires, so that a failing source is called once a second.
            with tolerate_unavailable_store():
                self._backend.extend_lock(self._build_lock_key(key), FAILED_LOAD_RETRY_SECONDS)
            self._count_lookup(key, "stale")
            log.warning("cache_serves_stale", namespace=self.namespace, error=repr(error))
            return entry.value
        if versions is None:
            self._release_lock(key)
        else:
            with tolerate_unavailable_store():
                load_seconds = time.monotonic() - started
                self._store_entry(key, value, self.ttl, load_seconds, versions, self._build_lock_key(key))
        self._count_lookup(key, "miss")
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
        """Read the entry; it counts as missing when one of its tags has been invalidated."""
        entry_key = self._build_entry_key(key)
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                _write_pending_invalidations()
                lookup = _parse_lookup(*self._backend.read(entry_key, _build_version_keys(tags)))
                if lookup.entry is not None:
                    self._backend.record_use(entry_key)
                return lookup
        return _STORE_UNAVAILABLE

    async def _aread_entry(self, key: str, tags: Sequence[str]) -> _LookupResult:
        """`_read_entry` without leaving the event loop."""
        entry_key = self._build_entry_key(key)
        if _pending_invalidations:  # writing them blocks
            return await sync_to_async(self._read_entry, thread_sensitive=False)(key, tags)
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                lookup = _parse_lookup(*await self._backend.aread(entry_key, _build_version_keys(tags)))
                if lookup.entry is not None:
                    await self._backend.arecord_use(entry_key)
                return lookup
        return _STORE_UNAVAILABLE

    def _store_entry(
        self, key: str, value: Any, ttl: float, load_seconds: float, versions: list[str], lock: str = ""
    ) -> None:
        expires_at = time.time() + ttl * random.uniform(0.9, 1.0)
        # Stored for twice its lifetime, so that the old entry can be served when a load fails.
        self._backend.set(self._build_entry_key(key), [value, expires_at, load_seconds, versions], 2 * ttl, lock)

    def _acquire_lock(self, key: str, tags: Sequence[str]) -> tuple[bool, _LookupResult]:
        """Try to acquire the lock of a key (always True while the store is unavailable), and read its entry."""
        if not cache_breaker.is_open():
            with tolerate_unavailable_store():
                _write_pending_invalidations()
                is_acquired, raw_entry, versions = self._backend.acquire_lock(
                    self._build_lock_key(key), LOAD_LOCK_SECONDS, self._build_entry_key(key), _build_version_keys(tags)
                )
                return is_acquired, _parse_lookup(raw_entry, versions)
        return True, _STORE_UNAVAILABLE

    def _release_lock(self, key: str) -> None:
        with tolerate_unavailable_store():
            self._backend.delete(self._build_lock_key(key))

    def _count_lookup(self, key: str, result: str) -> None:
        """Count a look-up. A miss is `cold` if nothing looked the key up within the lifetime: it could not have hit."""
        now = time.monotonic()
        with self._lock:
            last = self._looked_up.pop(key, None)
            self._looked_up[key] = now
            if len(self._looked_up) > self._max_entries:
                self._looked_up.popitem(last=False)
        if result == "miss" and (last is None or now - last > 0.9 * self.ttl):
            result = "cold"
        self.lookups[result] += 1
        cache_lookups.labels(namespace=self.namespace, result=result).inc()


def _parse_lookup(raw_entry: Any, versions: list[str]) -> _LookupResult:
    is_current = raw_entry is not None and raw_entry[3] == versions
    return _LookupResult(_Entry(*raw_entry) if is_current else None, versions)


@lru_cache
def get_cache(
    ttl: float = DEFAULT_TTL_SECONDS, *, namespace: str = "default", max_entries: int = DEFAULT_MAX_ENTRIES
) -> Cache:
    """Return the cache of a namespace. ttl: lifetime of its entries in seconds."""
    if ttl <= 0 or max_entries < 1:
        raise ValueError("ttl must be more than 0 and max_entries at least 1")
    return Cache(namespace, ttl, max_entries)


# Tags ---------------------------------------------------------------------------------------------------------

_pending_invalidations: set[str] = set()  # tags whose new version could not be written while the store was unavailable


def invalidate_tags(*tags: str) -> None:
    """Invalidate all entries with one of the tags when the current transaction commits."""
    transaction.on_commit(partial(_invalidate_now, tags))


def _invalidate_now(tags: Iterable[str]) -> None:
    _pending_invalidations.update(tags)
    with tolerate_unavailable_store():
        _write_pending_invalidations()


def _write_pending_invalidations() -> None:
    for tag in list(_pending_invalidations):
        get_cache_backend("versions", DEFAULT_MAX_ENTRIES).bump_version(f"version:{tag}")
        _pending_invalidations.discard(tag)


def _build_version_keys(tags: Sequence[str]) -> list[str]:
    return [f"version:{tag}" for tag in tags]
