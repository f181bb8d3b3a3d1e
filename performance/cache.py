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
from redis.exceptions import RedisError

from performance.metrics import cache_lookups
from performance.stores import Store, store_of

log = structlog.get_logger(__name__)

DEFAULT_TTL = 300.0
DEFAULT_MAX_ENTRIES = 1000
LOCK_SECONDS = 10.0  # how long the others wait for one that loads; longer loads are made twice
RETRY_SECONDS = 1.0  # after a failed load the old entry is good for so long; after a failed look-up, no look-up
POLL_SECONDS = 0.02
AWAY = (OSError, RedisError)


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
        entry, is_away = self._look_up(key, ())
        is_hit = entry is not None and entry.until > time.time()
        self._count("hit" if is_hit else "error" if is_away else "miss")
        return entry.value if entry and is_hit else default

    def set(self, key: str, value: Any, ttl: float | None = None, *, about: Sequence[str] = ()) -> None:
        """Keep a value for `ttl` seconds (the cache's own when None)."""
        versions = self._versions(about)
        if versions is not None:
            self._keep(key, value, self.ttl if ttl is None else ttl, 0.0, versions)

    def delete(self, key: str) -> None:
        """Forget a key. In a transaction use `touch`: another reader could store the old state once more."""
        with _store_may_be_away():
            self._store.delete(self._name(key))

    def load(self, key: str, loader: Callable[[], Any], *, about: Sequence[str] = ()) -> Any:
        """The value under a key, loaded when it is missing, due, or when something that it is about was touched.

        Raises what the loader raises when there is no old value to give instead.
        """
        entry, is_away = self._look_up(key, about)
        if entry is not None and not entry.is_due():
            self._count("hit")
            return entry.value
        flight, is_mine = self._join(key)
        if not is_mine:
            self._count("miss" if entry is None else "stale")
            return flight.result() if entry is None else entry.value
        try:
            value = self._fetch(key, loader, about, entry, is_away)
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

        return await sync_to_async(self.load, thread_sensitive=False)(key, load, about=about)

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

    def _fetch(
        self, key: str, loader: Callable[[], Any], about: Sequence[str], entry: _Entry | None, is_away: bool
    ) -> Any:
        """Load it, or take what another process has just loaded."""
        if is_away:
            self._count("error")
            return loader()
        has_lock = self._take_lock(key)
        if not has_lock and entry is not None:
            self._count("stale" if entry.until <= time.time() else "hit")
            return entry.value
        if not has_lock:
            found = self._wait_for_another(key, about)
            if found is not None:
                self._count("miss")
                return found.value
        return self._load(key, loader, about, entry)

    def _wait_for_another(self, key: str, about: Sequence[str]) -> _Entry | None:
        limit = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
            entry, is_away = self._look_up(key, about)
            if entry is not None or is_away or self._take_lock(key):
                return entry
        return None

    def _load(self, key: str, loader: Callable[[], Any], about: Sequence[str], entry: _Entry | None) -> Any:
        versions = self._versions(about)
        started = time.monotonic()
        try:
            value = loader()
        except Exception as error:
            if entry is None:
                self._give_lock_back(key)
                raise
            # The lock is left to run out, so that a broken source is asked once a second.
            self._hold_lock(key, RETRY_SECONDS)
            self._count("stale")
            log.warning("cache_serves_stale", namespace=self.namespace, error=repr(error))
            return entry.value
        if versions is not None:
            self._keep(key, value, self.ttl, time.monotonic() - started, versions)
        self._give_lock_back(key)
        self._count("miss")
        return value

    # The store ---------------------------------------------------------------------------------------------------

    @property
    def _store(self) -> Store:
        return store_of(self.namespace, self._max_entries)

    def _name(self, key: str) -> str:
        return f"{self.namespace}:{key}"

    def _look_up(self, key: str, about: Sequence[str]) -> tuple[_Entry | None, bool]:
        """The entry unless something it is about has changed, and whether the store is away."""
        name = self._name(key)
        if _outage.is_on():
            return None, True
        try:
            _send_bumps()
            raw, versions = self._store.read(name, [_version_name(one) for one in about])
            if raw is None or raw[3] != versions:
                return None, False
            self._store.note_use(name)
            return _Entry(*raw), False
        except AWAY as error:
            _outage.begin(error)
            return None, True

    def _versions(self, about: Sequence[str]) -> list[str] | None:
        """As they are now; None when the store is away."""
        with _store_may_be_away():
            return self._store.read("", [_version_name(one) for one in about])[1] if about else []
        return None

    def _keep(self, key: str, value: Any, ttl: float, load_seconds: float, versions: list[str]) -> None:
        until = time.time() + ttl * random.uniform(0.9, 1.0)
        with _store_may_be_away():
            # Kept twice as long as it is good: the second half is for when a load fails.
            self._store.set(self._name(key), [value, until, load_seconds, versions], 2 * ttl)

    def _take_lock(self, key: str) -> bool:
        with _store_may_be_away():
            return self._store.add(f"lock:{self._name(key)}", LOCK_SECONDS)
        return True

    def _give_lock_back(self, key: str) -> None:
        with _store_may_be_away():
            self._store.delete(f"lock:{self._name(key)}")

    def _hold_lock(self, key: str, seconds: float) -> None:
        self._give_lock_back(key)
        with _store_may_be_away():
            self._store.add(f"lock:{self._name(key)}", seconds)

    def _count(self, result: str) -> None:
        self.lookups[result] += 1
        cache_lookups.labels(namespace=self.namespace, result=result).inc()


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
    with _store_may_be_away():
        _send_bumps()


_bumps: set[str] = set()  # whose change could not be told yet, for want of a store


def _send_bumps() -> None:
    for name in list(_bumps):
        store_of("versions", DEFAULT_MAX_ENTRIES).bump(_version_name(name))
        _bumps.discard(name)


def _version_name(name: str) -> str:
    return f"version:{name}"


# A store that is away -------------------------------------------------------------------------------------------------


class _Outage:
    """After a failed look-up nobody waits for the store's time-out again for a second."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, error: BaseException) -> None:
        if not self.is_on():
            log.warning("cache_away", error=repr(error))
        self._until = time.monotonic() + RETRY_SECONDS

    def end(self) -> None:
        self._until = 0.0


_outage = _Outage()


class _store_may_be_away:
    """Swallows what a store that is away raises, and begins the outage."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, AWAY):
            return False
        _outage.begin(error)
        return True
