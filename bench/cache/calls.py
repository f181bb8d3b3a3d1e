"""The calls that are cached, over HTTP: right after Redis was emptied, and some times more."""

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from bench.jobs.site import PLATFORMS, Bench, ended
from diagsite.tests.fake_platform import answer
from diagsite.tests.services import execute, wait_until

HITS_A_LOAD = 8  # of the replayed traffic, whose hit rate is 89 %


@dataclass(frozen=True)
class Cost:
    """Median seconds of a call as its client sees them, and of the server's processor on the average."""

    seconds: float
    processor: float


@dataclass(frozen=True)
class Speed:
    """What a call costs. is_promised: whether its speed is."""

    what: str
    uncached: Cost
    cached: Cost
    is_promised: bool = True


# A year of a site with 27 diagnoses a day: copies of one, each with its answers to each question by each platform.
COPIES = """
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
    bench: Bench, redis_url: str, rounds: int, *, questions: int = 10, repeats: int = 5, copies: int = 10_000
) -> list[Speed]:
    """The report of a diagnosis of so many answers of four platforms, the platforms, the statistics.

    The report is measured twice: made from its answers, and as it was stored with its diagnosis. So are the
    statistics: over the few diagnoses that are there, and over so many copies of one.
    """
    bench.fake.behave(answer("山岚和溪石都不错，山岚更稳，价格也合适。"))
    one = bench.order(PLATFORMS, questions=questions, repeats=repeats)
    wait_until(lambda: ended(bench, [one]), "the diagnosis to end")
    store, report = redis.Redis.from_url(redis_url), f"/api/diagnoses/{one.id}/report"

    get = _getter(bench)

    def time_of(path: str) -> tuple[Cost, Cost]:
        return _time(lambda: get(path), store.flushdb, bench.site.server.pid, rounds)

    def over_copies() -> tuple[Cost, Cost]:
        execute(bench.site.address, COPIES, one.id, copies)
        execute(bench.site.address, "VACUUM ANALYZE")
        return time_of("/api/statistics")

    stored, few = time_of(report), time_of("/api/statistics")
    # As reports of an older form are read.
    execute(bench.site.address, "UPDATE diagnosis_diagnosis SET report = '{}' WHERE id = %s", one.id)
    return [
        Speed(f"report of {one.planned} answers, against making it from them", *time_of(report)),
        Speed("the same, against reading it as it was stored", *stored, is_promised=False),
        Speed("configuration", *time_of("/api/platforms")),
        Speed("statistics of a site that has only begun", *few, is_promised=False),
        Speed(f"statistics over {copies:,} diagnoses of {4 * questions} answers", *over_copies()),
    ]


def _getter(bench: Bench) -> Callable[[str], None]:
    """Gets a path, over a connection that is kept; httpx takes as long for it itself as a third of a cached call."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.site.port)
    headers = {"Authorization": bench.client.headers["Authorization"]}

    def get(path: str) -> None:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            body = answer.read()
        assert answer.status == 200, body

    return get


def _time(call: Callable[[], object], empty: Callable[[], object], pid: int, rounds: int) -> tuple[Cost, Cost]:
    call()
    uncached, cached = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(rounds):
        empty()
        uncached.append(_measured(call, pid))
        cached.extend(_measured(call, pid) for _ in range(HITS_A_LOAD))
    return _cost(uncached), _cost(cached)


def _measured(call: Callable[[], object], pid: int) -> tuple[float, float]:
    started, processor = time.perf_counter(), _processor_seconds(pid)
    call()
    return time.perf_counter() - started, _processor_seconds(pid) - processor


def _cost(found: list[tuple[float, float]]) -> Cost:
    seconds, processor = zip(*found, strict=True)
    return Cost(statistics.median(seconds), statistics.fmean(processor))


def _processor_seconds(pid: int) -> float:
    """Of a process's life, all its threads; by the clock that Linux keeps for it."""
    return time.clock_gettime((~pid << 3) | 2)
