"""How fresh: a thin face on Django's cache that loads once, never late, and serves what it has when a load fails.

    reports = get_cache(ttl=300, namespace="reports")
    body = reports.load(key, make_body, about=[f"diagnosis:{pk}"])
    ...
    touch(f"diagnosis:{pk}")        # in the transaction that changes it

- One load of a cold key at a time: threads of a process share it, processes leave it to whoever has the lock.
- An entry is loaded again a little early, by one caller, the sooner the longer a load takes (optimal probabilistic
  early expiration: Vattani, Chierichetti, Lowenstein, VLDB 2015); and lifetimes differ by up to a tenth, so that what
  was stored together does not end together.
- An entry remembers the versions of what it is about as they were before its load began. `touch` changes a version
  after the commit, so an entry that was loaded from before a change is never served after it.
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

from performance.metrics import cache_lookups
from performance.outage import outage, store_may_be_away
from performance.stores import Store, store_of

log = structlog.get_logger(__name__)

DEFAULT_TTL = 300.0
DEFAULT_MAX_ENTRIES = 1000
LOCK_SECONDS = 10.0  # how long the others wait for one that loads; longer loads are made twice
RETRY_SECONDS = 1.0  # after a failed load the old entry is good for so long
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class _Entry:
    """value: anything that can be written as JSON; until: when it is due, in epoch seconds."""

    value: Any
    until: float
    load_seconds: float
    versions: list[str]

    def is_due(self) -> bool:
        """Past its time, or drawn to be loaded a little early."""
        early = -self.load_seconds * math.log(1.0 - random.random())
        return time.time() + early >= self.until


@dataclass(frozen=True)
class _Found:
    """What a look-up has found. versions: those of what the entry is about, as they are now; None without a store."""

    entry: _Entry | None
    versions: list[str] | None

    @property
    def is_away(self) -> bool:
        """Whether the store is."""
        return self.versions is None


_NO_STORE = _Found(None, None)


class Cache:
    """One namespace of the cache; made by `get_cache`. Keys are short texts, values anything that JSON can tell."""

    def __init__(self, namespace: str, ttl: float, max_entries: int) -> None:
        self.namespace, self.ttl = namespace, ttl
        self._max_entries = max_entries
        self._flights: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self.lookups: Counter[str] = Counter()

    @property
    def hit_rate(self) -> float | None:
        """Share of this process's look-ups that were answered at once, 0-1; None before the first."""
        total = sum(self.lookups.values())
        return self.lookups["hit"] / total if total else None

    def get(self, key: str, default: Any = None) -> Any:
        """The value under a key, or the default."""
        found = self._look_up(key, ())
        is_hit = found.entry is not None and found.entry.until > time.time()
        self._count("hit" if is_hit else "error" if found.is_away else "miss")
        return found.entry.value if found.entry and is_hit else default

    def set(self, key: str, value: Any, ttl: float | None = None, *, about: Sequence[str] = ()) -> None:
        """Keep a value for `ttl` seconds (the cache's own when None)."""
        versions = self._versions(about)
        if versions is not None:
            self._keep(key, value, self.ttl if ttl is None else ttl, 0.0, versions)

    def delete(self, key: str) -> None:
        """Forget a key. In a transaction use `touch`: another reader could store the old state once more."""
        with store_may_be_away():
            self._store.delete(self._name(key))

    def load(self, key: str, loader: Callable[[], Any], *, about: Sequence[str] = ()) -> Any:
        """The value under a key, loaded when it is missing, due, or when something that it is about was touched.

        Raises what the loader raises when there is no old value to give instead.
        """
        found = self._look_up(key, about)
        if found.entry is not None and not found.entry.is_due():
            self._count("hit")
            return found.entry.value
        return self._give(key, loader, about, found)

    def _give(self, key: str, loader: Callable[[], Any], about: Sequence[str], found: _Found) -> Any:
        """After a look-up that was no hit."""
        entry = found.entry
        flight, is_mine = self._join(key)
        if not is_mine:
            self._count("miss" if entry is None else "stale")
            return flight.result() if entry is None else entry.value
        try:
            value = self._fetch(key, loader, about, found)
        except BaseException as error:
            self._land(key, flight)
            flight.set_exception(error)
            raise
        self._land(key, flight)
        flight.set_result(value)
        return value

    async def aget(self, key: str, default: Any = None) -> Any:
        """`get` for the event loop."""
        return await sync_to_async(self.get, thread_sensitive=False)(key, default)

    async def aset(self, key: str, value: Any, ttl: float | None = None, *, about: Sequence[str] = ()) -> None:
        """`set` for the event loop."""
        await sync_to_async(self.set, thread_sensitive=False)(key, value, ttl, about=about)

    async def adelete(self, key: str) -> None:
        """`delete` for the event loop."""
        await sync_to_async(self.delete, thread_sensitive=False)(key)

    async def aload(self, key: str, loader: Callable[[], Awaitable[Any]], *, about: Sequence[str] = ()) -> Any:
        """`load` with a coroutine function; it runs in the caller's event loop."""
        loop = asyncio.get_running_loop()

        async def in_loop() -> Any:
            return await loader()

        def load() -> Any:
            return asyncio.run_coroutine_threadsafe(in_loop(), loop).result()

        return await self._agive(key, load, about, in_thread_of_request=False)

    async def aload_blocking(self, key: str, loader: Callable[[], Any], *, about: Sequence[str] = ()) -> Any:
        """`load` for the event loop, which a hit never leaves; the loader runs in the request's own thread."""
        return await self._agive(key, loader, about, in_thread_of_request=True)

    async def _agive(
        self, key: str, loader: Callable[[], Any], about: Sequence[str], *, in_thread_of_request: bool
    ) -> Any:
        found = await self._alook_up(key, about)
        if found.entry is not None and not found.entry.is_due():
            self._count("hit")
            return found.entry.value
        give = sync_to_async(self._give, thread_sensitive=in_thread_of_request)
        return await give(key, loader, about, found)

    # One load at a time ------------------------------------------------------------------------------------------

    def _join(self, key: str) -> tuple[Future[Any], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Future()
            return flight, True

    def _land(self, key: str, flight: Future[Any]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _fetch(self, key: str, loader: Callable[[], Any], about: Sequence[str], found: _Found) -> Any:
        """Load it, or take what another has just loaded."""
        if found.is_away:
            self._count("error")
            return loader()
        entry = found.entry
        is_mine, now = self._take_lock(key, about)
        if entry is not None and not is_mine:
            self._count("stale" if entry.until <= time.time() else "hit")
            return entry.value
        if now.entry is None and not is_mine:
            is_mine, now = self._wait_for_another(key, about)
        # Between our look and the lock, another may have loaded and given it back.
        if now.entry is not None and (entry is None or now.entry.until > entry.until):
            if is_mine:
                self._give_lock_back(key)
            self._count("miss" if entry is None else "hit")
            return now.entry.value
        return self._load(key, loader, now.versions, entry)

    def _wait_for_another(self, key: str, about: Sequence[str]) -> tuple[bool, _Found]:
        """Until there is an entry, or a lock to load it with, or no store any more, or it has taken too long."""
        limit = time.monotonic() + LOCK_SECONDS
        while True:
            time.sleep(POLL_SECONDS)
            is_mine, found = self._take_lock(key, about)
            if is_mine or found.entry is not None or found.is_away or time.monotonic() > limit:
                return is_mine, found

    def _load(self, key: str, loader: Callable[[], Any], versions: list[str] | None, entry: _Entry | None) -> Any:
        """versions: as they were before this load begins."""
        started = time.monotonic()
        try:
            value = loader()
        except Exception as error:
            if entry is None:
                self._give_lock_back(key)
                raise
            # The lock is left to run out, so that a broken source is asked once a second.
            with store_may_be_away():
                self._store.hold(self._lock_name(key), RETRY_SECONDS)
            self._count("stale")
            log.warning("cache_serves_stale", namespace=self.namespace, error=repr(error))
            return entry.value
        if versions is None:
            self._give_lock_back(key)
        else:
            self._keep(key, value, self.ttl, time.monotonic() - started, versions, self._lock_name(key))
        self._count("miss")
        return value

    # The store ---------------------------------------------------------------------------------------------------

    @property
    def _store(self) -> Store:
        return store_of(self.namespace, self._max_entries)

    def _name(self, key: str) -> str:
        return f"{self.namespace}:{key}"

    def _lock_name(self, key: str) -> str:
        return f"lock:{self._name(key)}"

    def _look_up(self, key: str, about: Sequence[str]) -> _Found:
        """The entry unless something it is about has changed."""
        name = self._name(key)
        if not outage.is_on():
            with store_may_be_away():
                _send_bumps()
                found = _found(*self._store.read(name, _version_names(about)))
                if found.entry is not None:
                    self._store.note_use(name)
                return found
        return _NO_STORE

    async def _alook_up(self, key: str, about: Sequence[str]) -> _Found:
        """The same without leaving the event loop."""
        name = self._name(key)
        if _bumps:  # they are told by calls that block
            return await sync_to_async(self._look_up, thread_sensitive=False)(key, about)
        if not outage.is_on():
            with store_may_be_away():
                found = _found(*await self._store.aread(name, _version_names(about)))
                if found.entry is not None:
                    await self._store.anote_use(name)
                return found
        return _NO_STORE

    def _versions(self, about: Sequence[str]) -> list[str] | None:
        """As they are now; None when the store is away."""
        with store_may_be_away():
            return self._store.read("", _version_names(about))[1] if about else []
        return None

    def _keep(self, key: str, value: Any, ttl: float, load_seconds: float, versions: list[str], lock: str = "") -> None:
        until = time.time() + ttl * random.uniform(0.9, 1.0)
        with store_may_be_away():
            # Kept twice as long as it is good: the second half is for when a load fails.
            self._store.set(self._name(key), [value, until, load_seconds, versions], 2 * ttl, lock)

    def _take_lock(self, key: str, about: Sequence[str]) -> tuple[bool, _Found]:
        """Whether it was free (as it is without a store), and what a look-up finds now."""
        if not outage.is_on():
            with store_may_be_away():
                _send_bumps()
                lock, name = self._lock_name(key), self._name(key)
                is_mine, *found = self._store.take(lock, LOCK_SECONDS, name, _version_names(about))
                return is_mine, _found(*found)
        return True, _NO_STORE

    def _give_lock_back(self, key: str) -> None:
        with store_may_be_away():
            self._store.delete(self._lock_name(key))

    def _count(self, result: str) -> None:
        self.lookups[result] += 1
        cache_lookups.labels(namespace=self.namespace, result=result).inc()


def _found(raw: Any, versions: list[str]) -> _Found:
    """An entry as it lies in the store, if it was loaded from what is there now."""
    is_current = raw is not None and raw[3] == versions
    return _Found(_Entry(*raw) if is_current else None, versions)


@lru_cache
def get_cache(ttl: float = DEFAULT_TTL, *, namespace: str = "default", max_entries: int = DEFAULT_MAX_ENTRIES) -> Cache:
    """The cache of a namespace. ttl: seconds that an entry is good for."""
    if ttl <= 0 or max_entries < 1:
        raise ValueError("ttl must be more than 0 and max_entries at least 1")
    return Cache(namespace, ttl, max_entries)


# What entries are about -----------------------------------------------------------------------------------------------


def touch(*names: str) -> None:
    """Something has changed: after the commit, no entry that is about one of these names is served any more."""
    transaction.on_commit(partial(_bump, names))


def _bump(names: Iterable[str]) -> None:
    _bumps.update(names)
    with store_may_be_away():
        _send_bumps()


_bumps: set[str] = set()  # whose change could not be told yet, for want of a store


def _send_bumps() -> None:
    for name in list(_bumps):
        store_of("versions", DEFAULT_MAX_ENTRIES).bump(_version_name(name))
        _bumps.discard(name)


def _version_name(name: str) -> str:
    return f"version:{name}"


def _version_names(about: Sequence[str]) -> list[str]:
    return [_version_name(one) for one in about]
