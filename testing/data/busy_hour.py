"""An hour and more of samples as a busy site would have stored them, with an incident in it."""

import json
import math
import random
import uuid
from datetime import datetime, timedelta

import psycopg

from monitoring.models.samples import BUCKET_SECONDS, floor_to_bucket
from monitoring.samples.collector import build_series_key

BUCKET_COUNT = 280  # 70 minutes
PLATFORM_SUCCESS_RATES = {"deepseek": 0.985, "qwen": 0.97, "kimi": 0.94}
MEDIAN_CALL_SECONDS = {"deepseek": 3.2, "qwen": 2.1, "kimi": 5.4}
HISTOGRAM_EDGES = ("0.1", "0.3", "1.0", "2.0", "5.0", "10.0", "20.0", "30.0", "60.0", "+Inf")
ERROR_CODE_WEIGHTS = {
    "NETWORK_TIMEOUT": 0.3,
    "AI_PLATFORM_ERROR": 0.25,
    "RATE_LIMITED": 0.18,
    "AI_RATE_LIMIT": 0.12,
    "AI_QUOTA_EXHAUSTED": 0.08,
}

_INSERT_ERROR_COUNT = """
INSERT INTO errors_errorcount (code, fingerprint, outcome, hour, count)
VALUES (%s, 'busy', 'shown', date_trunc('hour', %s::timestamptz), %s)
"""

Labels = tuple[tuple[str, str], ...]
Totals = dict[tuple[str, Labels], float]


def write_busy_hour(address: str, now: datetime, seed: int = 5) -> None:
    """Into the database of a site, as one server process that has been up for all of it."""
    process, rng = uuid.uuid4(), random.Random(seed)
    rows: dict[tuple[str, Labels], list[tuple[datetime, float]]] = {}
    totals: Totals = {}
    end = floor_to_bucket(now)
    for number in range(BUCKET_COUNT, -1, -1):
        bucket = end - number * timedelta(seconds=BUCKET_SECONDS)
        gauges = _simulate_bucket(totals, bucket, BUCKET_SECONDS, now, rng)
        for name, value in {**totals, **gauges}.items():
            rows.setdefault(name, []).append((bucket, value))
    with psycopg.connect(address) as connection:
        _insert_samples(connection, process, rows, now)
        counts = {dict(labels)["code"]: count for (name, labels), count in totals.items() if name == "errors_total"}
        for code, count in counts.items():
            connection.execute(_INSERT_ERROR_COUNT, (code, now, count))


def _simulate_bucket(totals: Totals, bucket: datetime, seconds: float, now: datetime, rng: random.Random) -> Totals:
    busy = 0.7 + 0.2 * math.sin((now - bucket).total_seconds() / 900)
    is_incident = timedelta(minutes=12) < now - bucket < timedelta(minutes=26)
    failed = 0
    for platform, success in PLATFORM_SUCCESS_RATES.items():
        rate = success - 0.3 if is_incident and platform == "kimi" else success
        for _call in range(_round_randomly(seconds * busy * 0.25, rng)):
            is_valid = rng.random() < rate
            failed += not is_valid
            _add_call(
                totals, platform, rng.lognormvariate(math.log(MEDIAN_CALL_SECONDS[platform]), 0.5), is_valid=is_valid
            )
    for _failure in range(failed):
        code = rng.choices(list(ERROR_CODE_WEIGHTS), list(ERROR_CODE_WEIGHTS.values()))[0]
        _increment(totals, "errors_total", 1, code=code, outcome="shown")
    for result, share in {"hit": 0.78, "stale": 0.04, "miss": 0.18}.items():
        _increment(
            totals,
            "cache_lookups_total",
            _round_randomly(seconds * busy * share, rng),
            namespace="report",
            result=result,
        )
    for status, share in {"completed": 0.02, "partial": 0.003, "failed": 0.001}.items():
        _increment(
            totals, "diagnosis_ended_total", _round_randomly(seconds * busy * share, rng), status=status, demo="false"
        )
    for status, share in {"2xx": 1.6, "4xx": 0.03, "5xx": 0.08 if is_incident else 0.0}.items():
        _increment(
            totals,
            "http_requests_total",
            _round_randomly(seconds * busy * share, rng),
            route="/",
            method="GET",
            status=status,
        )
    return {
        ("progress_sockets_open", ()): float(_round_randomly(40 * busy, rng) + rng.randrange(6)),
        ("progress_polls_open", ()): float(rng.randrange(4)),
        ("diagnosis_running", (("demo", "false"),)): float(_round_randomly(8 * busy, rng)),
        ("jobs_waiting", (("queue", "diagnosis"),)): float(rng.randrange(3) + (9 if is_incident else 0)),
    }


def _add_call(totals: Totals, platform: str, seconds: float, *, is_valid: bool) -> None:
    outcome = "valid" if is_valid else "timeout"
    _increment(totals, "diagnosis_calls_total", 1, platform=platform, outcome=outcome, demo="false")
    _increment(totals, "diagnosis_call_seconds_sum", seconds, platform=platform, demo="false")
    _increment(totals, "diagnosis_call_seconds_count", 1, platform=platform, demo="false")
    for edge in HISTOGRAM_EDGES:
        if seconds <= float(edge):
            _increment(totals, "diagnosis_call_seconds_bucket", 1, platform=platform, demo="false", le=edge)


def _round_randomly(expected: float, rng: random.Random) -> int:
    """A whole number that is as much on average."""
    whole = int(expected)
    return whole + (rng.random() < expected - whole)


def _increment(totals: Totals, metric: str, value: float, **labels: str) -> None:
    name = (metric, tuple(sorted(labels.items())))
    totals[name] = totals.get(name, 0.0) + value


def _insert_samples(
    connection: psycopg.Connection,
    process: uuid.UUID,
    rows: dict[tuple[str, Labels], list[tuple[datetime, float]]],
    now: datetime,
) -> None:
    began = min(values[0][0] for values in rows.values())
    connection.execute(
        "INSERT INTO monitoring_process (id, kind, host, pid, started_at, seen_at) "
        "VALUES (%s, 'server', 'h', 1, %s, %s)",
        [process, began, now],
    )
    with connection.cursor() as cursor:
        for (metric, labels), values in rows.items():
            key = build_series_key(metric, dict(labels))
            cursor.execute(
                "INSERT INTO monitoring_series (metric, labels, key) VALUES (%s, %s, %s) "
                "ON CONFLICT (key) DO UPDATE SET metric = EXCLUDED.metric RETURNING id",
                [metric, json.dumps(dict(labels)), key],
            )
            series_row = cursor.fetchone()
            assert series_row
            with cursor.copy("COPY monitoring_sample (process_id, series_id, bucket, value) FROM STDIN") as copy:
                for bucket, value in values:
                    copy.write_row((process, series_row[0], bucket, value))
