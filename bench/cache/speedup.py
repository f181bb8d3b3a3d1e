"""The calls that are cached, over HTTP: right after Redis was emptied, and some times more."""

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from bench.jobs.environment import FAKE_PLATFORMS, JobsEnvironment, have_ended
from testing.fake_platform import respond_with_answer
from testing.services import execute_sql, wait_until

CACHED_CALLS_PER_LOAD = 8  # of the replayed traffic, whose hit rate is 89 %


@dataclass(frozen=True)
class CallCost:
    """Median seconds of a call as its client sees them, and of the server's processor on the average."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class CacheSpeedup:
    """What a call costs. has_target: whether its speed is."""

    label: str
    uncached: CallCost
    cached: CallCost
    has_target: bool = True


# A year of a site with 27 diagnoses a day: copies of one, each with its answers to each question by each platform.
COPY_DIAGNOSES_SQL = """
WITH one AS (
    SELECT id, stream_id FROM diagnosis_diagnosis WHERE id = %s
), streams AS (
    INSERT INTO progress_stream
    SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
    FROM progress_stream s JOIN one ON one.stream_id = s.id, generate_series(1, %s)
    RETURNING id
), diagnoses AS (
    INSERT INTO diagnosis_diagnosis
    SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'stream_id', streams.id,
        'idempotency_key', null, 'created_at', d.created_at - random() * interval '365 days'))).*
    FROM diagnosis_diagnosis d JOIN one ON one.id = d.id, streams
    RETURNING id
)
INSERT INTO diagnosis_answer
SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'diagnosis_id', copies.id,
    'repeat', copies.number))).*
FROM diagnosis_answer a JOIN one ON one.id = a.diagnosis_id,
    (SELECT id, 1000 + row_number() OVER () AS number FROM diagnoses) AS copies
WHERE a.repeat = 1
"""


def measure_calls(
    bench: JobsEnvironment, redis_url: str, rounds: int, *, questions: int = 10, repeats: int = 5, copies: int = 10_000
) -> list[CacheSpeedup]:
    """The report of a diagnosis of so many answers of four platforms, the platforms, the statistics.

    The report is measured twice: made from its answers, and as it was stored with its diagnosis. So are the
    statistics: over the few diagnoses that are there, and over so many copies of one.
    """
    bench.fake.set_behaviour(respond_with_answer("山岚和溪石都不错，山岚更稳，价格也合适。"))
    one = bench.request_diagnosis(FAKE_PLATFORMS, questions=questions, repeats=repeats)
    wait_until(lambda: have_ended(bench, [one]), "the diagnosis to end")
    store, report = redis.Redis.from_url(redis_url), f"/api/diagnoses/{one.id}/report"

    get = _build_getter(bench)

    def time_path(path: str) -> tuple[CallCost, CallCost]:
        return _time_uncached_and_cached(lambda: get(path), store.flushdb, bench.site.server.pid, rounds)

    def time_over_copies() -> tuple[CallCost, CallCost]:
        execute_sql(bench.site.address, COPY_DIAGNOSES_SQL, one.id, copies)
        execute_sql(bench.site.address, "VACUUM ANALYZE")
        return time_path("/api/statistics")

    stored, small_site = time_path(report), time_path("/api/statistics")
    # As reports of an older form are read.
    execute_sql(bench.site.address, "UPDATE diagnosis_diagnosis SET report = '{}' WHERE id = %s", one.id)
    return [
        CacheSpeedup(f"report of {one.planned} answers, against making it from them", *time_path(report)),
        CacheSpeedup("the same, against reading it as it was stored", *stored, has_target=False),
        CacheSpeedup("configuration", *time_path("/api/platforms")),
        CacheSpeedup("statistics of a site that has only begun", *small_site, has_target=False),
        CacheSpeedup(f"statistics over {copies:,} diagnoses of {4 * questions} answers", *time_over_copies()),
    ]


def _build_getter(bench: JobsEnvironment) -> Callable[[str], None]:
    """Gets a path, over a connection that is kept; httpx takes as long for it itself as a third of a cached call."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.port)
    headers = {"Authorization": bench.client.headers["Authorization"]}

    def get(path: str) -> None:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            body = answer.read()
        assert answer.status == 200, body

    return get


def _time_uncached_and_cached(
    call: Callable[[], object], empty: Callable[[], object], pid: int, rounds: int
) -> tuple[CallCost, CallCost]:
    call()
    uncached, cached = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(rounds):
        empty()
        uncached.append(_measure_call(call, pid))
        cached.extend(_measure_call(call, pid) for _ in range(CACHED_CALLS_PER_LOAD))
    return _summarize(uncached), _summarize(cached)


def _measure_call(call: Callable[[], object], pid: int) -> tuple[float, float]:
    started, processor = time.perf_counter(), _get_cpu_seconds(pid)
    call()
    return time.perf_counter() - started, _get_cpu_seconds(pid) - processor


def _summarize(found: list[tuple[float, float]]) -> CallCost:
    seconds, processor = zip(*found, strict=True)
    return CallCost(statistics.median(seconds), statistics.fmean(processor))


def _get_cpu_seconds(pid: int) -> float:
    """Of a process's life, all its threads; by the clock that Linux keeps for it."""
    return time.clock_gettime((~pid << 3) | 2)
