"""The cache: loads once, never serves what was changed, and works without its store."""

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
from performance import circuit_breaker as outage_module
from performance.cache import Cache, get_cache, invalidate_tags
from performance.cache_backends import MemoryCacheBackend, RedisCacheBackend, get_cache_backend
from performance.circuit_breaker import BREAKER_RESET_SECONDS, cache_breaker
from testing.cache_process import count_cold_key_loads
from testing.services import RedisServer


@pytest.fixture
def cache() -> Cache:
    return get_cache(namespace=uuid.uuid4().hex)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The cache's time, in the test's hands; entries are due exactly at their end."""

    class Clock:
        now = time.time()

        def time(self) -> float:
            return self.now

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    clock = Clock()
    for module in (cache_module, outage_module):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr("random.random", lambda: 0.0)
    return clock


def counter() -> Any:
    """A loader that returns 1, 2, 3, ..."""
    numbers = itertools.count(1)
    return lambda: next(numbers)


def broken() -> Any:
    raise ConnectionError("the source is away")


def test_what_is_set_is_got_and_a_missing_key_is_its_default(cache: Cache) -> None:
    cache.set("key", {"n": 1})
    assert cache.get("key") == {"n": 1}
    assert cache.get("other") is None
    assert cache.get("other", "default") == "default"
    cache.delete("key")
    assert cache.get("key") is None


async def test_the_event_loop_has_the_same_calls(cache: Cache) -> None:
    await cache.aset("key", [1])
    assert await cache.aget("key") == [1]
    await cache.adelete("key")
    assert await cache.aget("key", 7) == 7


def test_one_call_gives_one_cache() -> None:
    assert get_cache(ttl=300) is get_cache(ttl=300)
    with pytest.raises(ValueError, match="ttl must be more than 0"):
        get_cache(ttl=0)


def test_an_entry_is_loaded_once_and_again_when_its_time_is_over(cache: Cache, clock: Any) -> None:
    load = counter()
    assert [cache.load("key", load), cache.load("key", load)] == [1, 1]
    clock.now += cache.ttl
    assert [cache.load("key", load), cache.load("key", load)] == [2, 2]


def test_the_least_recently_used_goes_first_and_one_at_a_time() -> None:
    cache = get_cache(namespace=uuid.uuid4().hex, max_entries=3)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    assert cache.get("a") == "a"
    cache.set("d", "d")
    assert [cache.get(key) for key in ("a", "b", "c", "d")] == ["a", None, "c", "d"]


def test_every_look_up_counts_once(cache: Cache) -> None:
    def counted(result: str) -> float:
        labels = {"namespace": cache.namespace, "result": result}
        return REGISTRY.get_sample_value("cache_lookups_total", labels) or 0.0

    assert cache.hit_rate is None
    cache.load("key", counter())
    cache.load("key", counter())
    cache.get("key")
    cache.get("other")
    assert [counted(result) for result in ("hit", "miss", "stale", "error")] == [2, 2, 0, 0]
    assert cache.hit_rate == 0.5


def test_a_load_that_fails_is_answered_by_the_old_entry(cache: Cache, clock: Any) -> None:
    cache.load("key", lambda: "old")
    clock.now += cache.ttl
    assert cache.load("key", broken) == "old"
    assert cache.lookups["stale"] == 1


def test_a_load_that_fails_without_an_old_entry_raises_for_everybody_who_waited(cache: Cache) -> None:
    started, release = threading.Event(), threading.Event()

    def fail_late() -> Any:
        started.set()
        release.wait(10)
        raise ConnectionError("the source is away")

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(cache.load, "key", fail_late)
        started.wait(10)
        others = [pool.submit(cache.load, "key", fail_late) for _ in range(4)]
        release.set()
        assert all(isinstance(one.exception(30), ConnectionError) for one in [first, *others])
    assert cache.load("key", lambda: "works again") == "works again"


def test_threads_share_one_load(cache: Cache) -> None:
    loads: list[int] = []
    together = threading.Barrier(30)

    def load() -> str:
        loads.append(1)
        time.sleep(0.1)  # the load takes a while
        return "value"

    def read(_: int) -> Any:
        together.wait()
        return cache.load("key", load)

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(read, range(30))) == {"value"}
    assert loads == [1]


async def test_coroutines_share_one_load(cache: Cache) -> None:
    loads: list[int] = []

    async def load() -> str:
        loads.append(1)
        await asyncio.sleep(0.05)
        return "value"

    assert set(await asyncio.gather(*(cache.aload("key", load) for _ in range(50)))) == {"value"}
    assert loads == [1]


def test_who_looked_before_another_had_loaded_takes_that_load(cache: Cache) -> None:
    found = cache._read_entry("key", ())
    cache.load("key", lambda: "theirs")
    assert cache._load_or_wait("key", broken, (), found) == "theirs"
    assert cache.load("key", broken) == "theirs"  # and the lock was given back


def test_a_change_that_is_told_late_is_told_before_another_load_is_taken(cache: Cache) -> None:
    about = [uuid.uuid4().hex]
    found = cache._read_entry("key", about)
    cache.load("key", lambda: "old rows", tags=about)
    cache_module._pending_bumps.add(about[0])  # as after a change while the store was away
    assert cache._load_or_wait("key", lambda: "new rows", about, found) == "new rows"


def refuse_to_be_asked(*_: Any) -> Any:
    raise AssertionError("the store was asked")


def test_no_lock_is_asked_for_in_an_outage_that_began_after_the_look(cache: Cache, monkeypatch: Any) -> None:
    found = cache._read_entry("key", ())
    monkeypatch.setattr(MemoryCacheBackend, "take", refuse_to_be_asked)
    cache_breaker.trip(ConnectionError())
    try:
        assert cache._load_or_wait("key", lambda: "value", (), found) == "value"
    finally:
        cache_breaker.reset()


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """From the call of it on, the cache has no thread to go to."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("it left the event loop")

    return lambda: monkeypatch.setattr(cache_module, "sync_to_async", refuse)


async def _hit_twice(cache: Cache, no_threads: Any) -> None:
    load, about = counter(), [uuid.uuid4().hex]
    assert await cache.aload_blocking("key", load, tags=about) == 1
    get_cache_backend("versions", 1000).bump_version(f"version:{about[0]}")  # as another process does
    assert await cache.aload_blocking("key", load, tags=about) == 2
    no_threads()
    assert [await cache.aload_blocking("key", load, tags=about) for _ in range(2)] == [2, 2]
    assert cache.lookups == {"miss": 2, "hit": 2}


async def test_a_hit_does_not_leave_the_event_loop(cache: Cache, no_threads: Any) -> None:
    await _hit_twice(cache, no_threads)


@pytest.mark.redis
async def test_a_hit_in_redis_does_not_leave_the_event_loop(shared: RedisServer, cache: Cache, no_threads: Any) -> None:
    assert isinstance(cache._backend, RedisCacheBackend)
    await _hit_twice(cache, no_threads)


@pytest.mark.redis
async def test_from_the_event_loop_too_redis_away_costs_a_load_and_no_error(shared: RedisServer, cache: Cache) -> None:
    load = counter()
    assert [await cache.aload_blocking("key", load) for _ in range(2)] == [1, 1]
    await sync_to_async(shared.stop)()
    assert [await cache.aload_blocking("key", load) for _ in range(2)] == [2, 3]
    assert cache.lookups["error"] == 2
    await sync_to_async(shared.start)()
    cache_breaker.reset()
    assert await cache.aload_blocking("key", load) == 4


def test_the_longer_a_load_takes_the_earlier_it_is_made_again(cache: Cache, clock: Any, monkeypatch: Any) -> None:
    def load_slowly() -> str:
        clock.now += 20
        return "value"

    cache.load("key", load_slowly)
    clock.now += cache.ttl - 30
    monkeypatch.setattr("random.random", lambda: 0.5)  # 20 s * ln 2 = 14 s early
    assert cache.load("key", counter()) == "value"
    clock.now += 20
    assert cache.load("key", counter()) == 1


@pytest.mark.django_db(transaction=True)
def test_what_was_loaded_before_a_change_is_not_served_after_it(cache: Cache) -> None:
    load = counter()
    about = [f"diagnosis:{uuid.uuid4()}"]
    assert cache.load("key", load, tags=about) == 1
    with transaction.atomic():
        invalidate_tags(*about)
        assert cache.load("key", load, tags=about) == 1  # not yet: others still see the old rows
    assert cache.load("key", load, tags=about) == 2


@pytest.mark.django_db(transaction=True)
def test_a_change_during_a_load_makes_it_void(cache: Cache) -> None:
    about = [f"diagnosis:{uuid.uuid4()}"]

    def load_old_rows() -> str:
        invalidate_tags(*about)
        return "old rows"

    cache.load("key", load_old_rows, tags=about)
    assert cache.load("key", lambda: "new rows", tags=about) == "new rows"


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_changes_nothing(cache: Cache) -> None:
    load = counter()
    cache.load("key", load, tags=["it"])
    with pytest.raises(ConnectionError), transaction.atomic():
        invalidate_tags("it")
        broken()
    assert cache.load("key", load, tags=["it"]) == 1


@pytest.fixture
def shared(redis_server: RedisServer) -> Iterator[RedisServer]:
    """This process's caches in a Redis of the test's own."""
    get_cache_backend.cache_clear()
    with override_settings(REDIS_URL=redis_server.url):
        yield redis_server
    get_cache_backend.cache_clear()
    cache_breaker.reset()


@pytest.mark.redis
def test_in_redis_the_least_recently_used_goes_first(shared: RedisServer) -> None:
    cache = get_cache(namespace=uuid.uuid4().hex, max_entries=3)
    assert isinstance(cache._backend, RedisCacheBackend)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    assert cache.get("a") == "a"
    cache.set("d", "d")
    assert [cache.get(key) for key in ("a", "b", "c", "d")] == ["a", None, "c", "d"]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_without_redis_it_loads_each_time_and_with_it_back_it_serves_no_change_of_meanwhile(
    shared: RedisServer, clock: Any
) -> None:
    cache, load = get_cache(namespace=uuid.uuid4().hex), counter()
    assert [cache.load("key", load, tags=["it"]) for _ in range(2)] == [1, 1]
    shared.stop()
    assert [cache.load("key", load, tags=["it"]) for _ in range(3)] == [2, 3, 4]
    assert cache.get("key", "default") == "default"
    assert cache.lookups["error"] == 4
    invalidate_tags("it")
    shared.start()
    clock.now += BREAKER_RESET_SECONDS
    assert [cache.load("key", load, tags=["it"]) for _ in range(2)] == [5, 5]


@pytest.mark.redis
def test_two_hundred_readers_of_a_cold_key_in_four_processes_make_one_load(redis_server: RedisServer) -> None:
    assert count_cold_key_loads(redis_server.url, processes=4, readers=50) == (1, 200)
