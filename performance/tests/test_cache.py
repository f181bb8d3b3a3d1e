"""The cache: single flight, invalidation, expiry, and behaviour without Redis."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import override_settings
from prometheus_client import REGISTRY

from performance import cache as cache_module
from performance import circuit_breaker
from performance.cache import Cache, get_cache, invalidate_tags
from performance.cache_backends import MemoryCacheBackend, RedisCacheBackend, get_cache_backend
from performance.circuit_breaker import BREAKER_RESET_SECONDS, cache_breaker
from testing.services import RedisServer
from testing.workers.cache_process import count_cold_key_loads


@pytest.fixture
def cache() -> Cache:
    return get_cache(namespace=uuid.uuid4().hex)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock moved by the test; without randomness, so entries expire exactly after their lifetime."""

    class Clock:
        now = time.time()

        def time(self) -> float:
            return self.now

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    clock = Clock()
    for module in (cache_module, circuit_breaker):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr("random.random", lambda: 0.0)
    return clock


def make_counting_loader() -> Any:
    """Return a loader that returns 1, 2, 3, ..."""
    numbers = itertools.count(1)
    return lambda: next(numbers)


def raise_connection_error() -> Any:
    raise ConnectionError("the source is unavailable")


def test_get_returns_the_stored_value_or_the_default(cache: Cache) -> None:
    cache.set("key", {"n": 1})
    assert cache.get("key") == {"n": 1}
    assert cache.get("other") is None
    assert cache.get("other", "default") == "default"
    cache.delete("key")
    assert cache.get("key") is None


def test_get_cache_returns_the_same_cache_for_the_same_arguments() -> None:
    assert get_cache(ttl=300) is get_cache(ttl=300)
    with pytest.raises(ValueError, match="ttl must be more than 0"):
        get_cache(ttl=0)


def test_an_entry_is_loaded_once_until_it_expires(cache: Cache, clock: Any) -> None:
    load = make_counting_loader()
    assert [cache.load("key", load), cache.load("key", load)] == [1, 1]
    clock.now += cache.ttl
    assert [cache.load("key", load), cache.load("key", load)] == [2, 2]


def test_the_least_recently_used_entry_is_evicted() -> None:
    cache = get_cache(namespace=uuid.uuid4().hex, max_entries=3)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    assert cache.get("a") == "a"
    cache.set("d", "d")
    assert [cache.get(key) for key in ("a", "b", "c", "d")] == ["a", None, "c", "d"]


def test_each_lookup_is_counted_once(cache: Cache) -> None:
    def read_metric(result: str) -> float:
        labels = {"namespace": cache.namespace, "result": result}
        return REGISTRY.get_sample_value("cache_lookups_total", labels) or 0.0

    assert cache.hit_rate is None
    cache.load("key", make_counting_loader())
    cache.load("key", make_counting_loader())
    cache.get("key")
    cache.get("other")
    assert [read_metric(result) for result in ("hit", "miss", "cold", "stale", "error")] == [2, 0, 2, 0, 0]
    cache.delete("key")
    cache.get("key")  # an entry could still be there
    assert read_metric("miss") == 1
    assert cache.hit_rate == 2 / 3


def test_the_old_entry_is_served_when_a_load_fails(cache: Cache, clock: Any) -> None:
    cache.load("key", lambda: "old")
    clock.now += cache.ttl
    assert cache.load("key", raise_connection_error) == "old"
    assert cache.lookups["stale"] == 1


def test_a_failed_load_without_an_old_entry_raises_for_all_waiting_threads(cache: Cache) -> None:
    started, release = threading.Event(), threading.Event()

    def fail_after_release() -> Any:
        started.set()
        release.wait(10)
        raise ConnectionError("the source is unavailable")

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(cache.load, "key", fail_after_release)
        started.wait(10)
        others = [pool.submit(cache.load, "key", fail_after_release) for _ in range(4)]
        release.set()
        assert all(isinstance(future.exception(30), ConnectionError) for future in [first, *others])
    assert cache.load("key", lambda: "loaded") == "loaded"


def test_threads_share_one_load(cache: Cache) -> None:
    loads: list[int] = []
    barrier = threading.Barrier(30)

    def load() -> str:
        loads.append(1)
        time.sleep(0.1)
        return "value"

    def read(_: int) -> Any:
        barrier.wait()
        return cache.load("key", load)

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(read, range(30))) == {"value"}
    assert loads == [1]


async def test_coroutines_load_a_key_once(cache: Cache) -> None:
    load = make_counting_loader()
    assert set(await asyncio.gather(*(cache.aload_blocking("key", load) for _ in range(50)))) == {1}


def test_a_load_by_another_caller_after_the_lookup_is_reused(cache: Cache) -> None:
    lookup = cache._read_entry("key", ())
    cache.load("key", lambda: "other")
    assert cache._load_or_wait("key", raise_connection_error, (), lookup) == "other"
    assert cache.load("key", raise_connection_error) == "other"  # the lock has been released


def test_a_pending_invalidation_is_written_before_another_load_is_reused(cache: Cache) -> None:
    tags = [uuid.uuid4().hex]
    lookup = cache._read_entry("key", tags)
    cache.load("key", lambda: "old rows", tags=tags)
    cache_module._pending_invalidations.add(tags[0])  # as after a change while Redis was unavailable
    assert cache._load_or_wait("key", lambda: "new rows", tags, lookup) == "new rows"


def test_the_lock_is_skipped_when_the_breaker_opens_after_the_lookup(cache: Cache, monkeypatch: Any) -> None:
    def fail_test(*_: Any) -> Any:
        raise AssertionError("the store was called")

    lookup = cache._read_entry("key", ())
    monkeypatch.setattr(MemoryCacheBackend, "acquire_lock", fail_test)
    cache_breaker.trip(ConnectionError())
    try:
        assert cache._load_or_wait("key", lambda: "value", (), lookup) == "value"
    finally:
        cache_breaker.reset()


@pytest.fixture
def forbid_threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function; after calling it, the cache cannot move work to a thread."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("left the event loop")

    return lambda: monkeypatch.setattr(cache_module, "sync_to_async", refuse)


async def check_hits_in_event_loop(cache: Cache, forbid_threads: Any) -> None:
    load, tags = make_counting_loader(), [uuid.uuid4().hex]
    assert await cache.aload_blocking("key", load, tags=tags) == 1
    get_cache_backend("versions", 1000).bump_version(f"version:{tags[0]}")
    assert await cache.aload_blocking("key", load, tags=tags) == 2
    forbid_threads()
    assert [await cache.aload_blocking("key", load, tags=tags) for _ in range(2)] == [2, 2]
    assert cache.lookups == {"cold": 1, "miss": 1, "hit": 2}


async def test_a_hit_stays_in_the_event_loop(cache: Cache, forbid_threads: Any) -> None:
    await check_hits_in_event_loop(cache, forbid_threads)


@pytest.mark.redis
async def test_a_hit_in_redis_stays_in_the_event_loop(
    redis_cache: RedisServer, cache: Cache, forbid_threads: Any
) -> None:
    assert isinstance(cache._backend, RedisCacheBackend)
    await check_hits_in_event_loop(cache, forbid_threads)


@pytest.mark.redis
async def test_async_lookups_load_without_redis(redis_cache: RedisServer, cache: Cache) -> None:
    load = make_counting_loader()
    assert [await cache.aload_blocking("key", load) for _ in range(2)] == [1, 1]
    await sync_to_async(redis_cache.stop)()
    assert [await cache.aload_blocking("key", load) for _ in range(2)] == [2, 3]
    assert cache.lookups["error"] == 2
    await sync_to_async(redis_cache.start)()
    cache_breaker.reset()
    assert await cache.aload_blocking("key", load) == 4


def test_a_slow_load_is_refreshed_early(cache: Cache, clock: Any, monkeypatch: Any) -> None:
    def load_slowly() -> str:
        clock.now += 20
        return "value"

    cache.load("key", load_slowly)
    clock.now += cache.ttl - 30
    monkeypatch.setattr("random.random", lambda: 0.5)  # 20 s * ln 2 = 14 s early
    assert cache.load("key", make_counting_loader()) == "value"
    clock.now += 20
    assert cache.load("key", make_counting_loader()) == 1


@pytest.mark.django_db(transaction=True)
def test_an_entry_loaded_before_an_invalidation_is_not_served_after_it(cache: Cache) -> None:
    load = make_counting_loader()
    tags = [f"diagnosis:{uuid.uuid4()}"]
    assert cache.load("key", load, tags=tags) == 1
    with transaction.atomic():
        invalidate_tags(*tags)
        assert cache.load("key", load, tags=tags) == 1  # not committed: other transactions still see the old rows
    assert cache.load("key", load, tags=tags) == 2


@pytest.mark.django_db(transaction=True)
def test_an_invalidation_during_a_load_invalidates_its_entry(cache: Cache) -> None:
    tags = [f"diagnosis:{uuid.uuid4()}"]

    def load_old_rows() -> str:
        invalidate_tags(*tags)
        return "old rows"

    cache.load("key", load_old_rows, tags=tags)
    assert cache.load("key", lambda: "new rows", tags=tags) == "new rows"


@pytest.mark.django_db(transaction=True)
def test_an_invalidation_that_is_rolled_back_has_no_effect(cache: Cache) -> None:
    load = make_counting_loader()
    cache.load("key", load, tags=["tag"])
    with pytest.raises(ConnectionError), transaction.atomic():
        invalidate_tags("tag")
        raise_connection_error()
    assert cache.load("key", load, tags=["tag"]) == 1


@pytest.fixture
def redis_cache(redis_server: RedisServer) -> Iterator[RedisServer]:
    """Store the caches of this process in the test's own Redis."""
    get_cache_backend.cache_clear()
    with override_settings(REDIS_URL=redis_server.url):
        yield redis_server
    get_cache_backend.cache_clear()
    cache_breaker.reset()


@pytest.mark.redis
def test_the_least_recently_used_entry_is_evicted_in_redis(redis_cache: RedisServer) -> None:
    cache = get_cache(namespace=uuid.uuid4().hex, max_entries=3)
    assert isinstance(cache._backend, RedisCacheBackend)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    assert cache.get("a") == "a"
    cache.set("d", "d")
    assert [cache.get(key) for key in ("a", "b", "c", "d")] == ["a", None, "c", "d"]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_invalidations_during_a_redis_outage_apply_after_it(redis_cache: RedisServer, clock: Any) -> None:
    cache, load = get_cache(namespace=uuid.uuid4().hex), make_counting_loader()
    assert [cache.load("key", load, tags=["tag"]) for _ in range(2)] == [1, 1]
    redis_cache.stop()
    assert [cache.load("key", load, tags=["tag"]) for _ in range(3)] == [2, 3, 4]
    assert cache.get("key", "default") == "default"
    assert cache.lookups["error"] == 4
    invalidate_tags("tag")
    redis_cache.start()
    clock.now += BREAKER_RESET_SECONDS
    assert [cache.load("key", load, tags=["tag"]) for _ in range(2)] == [5, 5]


@pytest.mark.redis
def test_a_missing_key_is_loaded_once_by_four_processes(redis_server: RedisServer) -> None:
    assert count_cold_key_loads(redis_server.url, processes=4, readers=50) == (1, 200)
