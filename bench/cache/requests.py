"""Cached requests over HTTP: right after Redis was emptied, and repeated."""

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from bench.jobs.environment import FAKE_PLATFORMS, JobsEnvironment
from testing.fakes.platform import respond_with_answer
from testing.invariants import wait_until_all_ended
from testing.services import execute_sql

CACHED_CALLS_PER_LOAD = 8  # as in the replayed traffic, whose hit rate is 89 %


@dataclass(frozen=True)
class CallCost:
    """Median seconds of a request for its client, and mean CPU seconds of the server."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class CachedRequest:
    """The costs of a request, and the promised time of a cached one; None without a promise."""

    label: str
    uncached: CallCost
    cached: CallCost
    max_seconds: float | None = None


# A year of a site with 27 diagnoses a day: copies of one, with its answers to each question by each platform.
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
) -> list[CachedRequest]:
    """Measure requests for the report of a diagnosis, for the platforms and for the statistics.

    The report is measured as stored with its diagnosis and as built from the answers, the statistics over the few
    existing diagnoses and over so many copies of one.
    """
    bench.fake.set_behaviour(respond_with_answer("山岚和溪石都不错，山岚更稳，价格也合适。"))
    diagnosis = bench.request_diagnosis(FAKE_PLATFORMS, questions=questions, repeats=repeats)
    wait_until_all_ended(bench.site)
    store, report = redis.Redis.from_url(redis_url), f"/api/diagnoses/{diagnosis.id}/report"
    get = _build_getter(bench)

    def time_path(path: str) -> tuple[CallCost, CallCost]:
        return _time_uncached_and_cached(lambda: get(path), store.flushdb, bench.site.server.pid, rounds)

    def time_over_copies() -> tuple[CallCost, CallCost]:
        execute_sql(bench.site.address, COPY_DIAGNOSES_SQL, diagnosis.id, copies)
        execute_sql(bench.site.address, "VACUUM ANALYZE")
        return time_path("/api/statistics")

    stored, small_site = time_path(report), time_path("/api/statistics")
    # Without a stored report it is built from the answers, as for reports of an older version.
    execute_sql(bench.site.address, "UPDATE diagnosis_diagnosis SET report = '{}' WHERE id = %s", diagnosis.id)
    return [
        CachedRequest(f"report of {diagnosis.planned} answers, built from them", *time_path(report), 0.05),
        CachedRequest("the same, read as stored", *stored),
        CachedRequest("configuration", *time_path("/api/platforms"), 0.01),
        CachedRequest("statistics of a new site", *small_site),
        CachedRequest(f"statistics over {copies:,} diagnoses of {4 * questions} answers", *time_over_copies(), 0.1),
    ]


def _build_getter(bench: JobsEnvironment) -> Callable[[str], None]:
    """Return a function that requests a path over a keep-alive connection.

    httpx alone would take a third of the time of a cached request.
    """
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.port)
    headers = {"Authorization": bench.client.headers["Authorization"]}

    def get(path: str) -> None:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as response:
            body = response.read()
        assert response.status == 200, body

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
    began, cpu_seconds = time.perf_counter(), _get_cpu_seconds(pid)
    call()
    return time.perf_counter() - began, _get_cpu_seconds(pid) - cpu_seconds


def _summarize(costs: list[tuple[float, float]]) -> CallCost:
    seconds, cpu_seconds = zip(*costs, strict=True)
    return CallCost(statistics.median(seconds), statistics.fmean(cpu_seconds))


def _get_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of all threads of a process, by its clock of Linux, which is more precise than psutil."""
    return time.clock_gettime((~pid << 3) | 2)
