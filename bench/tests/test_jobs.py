"""The benches of the jobs and of cached calls in short: that they run, and what no busy machine can change."""

import pytest

from bench.cache.requests import measure_calls
from bench.jobs.concurrency import measure_concurrency_levels, measure_overhead, measure_transient_failures
from bench.jobs.environment import running_jobs_environment
from bench.jobs.start_delay import measure_jobs_per_second, measure_start_delays, running_celery_worker
from testing.services import RedisServer

pytestmark = pytest.mark.redis


def test_orders_start_beside_celerys_jobs(redis_server: RedisServer) -> None:
    with running_jobs_environment(redis_server.url) as bench, running_celery_worker(redis_server.url, 2) as jobs:
        found = measure_start_delays(bench, jobs, 3)
        assert len(found.site_seconds) == len(found.celery_seconds) == 3
        assert min(found.site_seconds + found.celery_seconds) > 0
        assert min(measure_jobs_per_second(bench, jobs, 3)) > 0
        calls = measure_calls(bench, redis_server.url, 2, questions=1, repeats=1, copies=10)
    assert [request.max_seconds for request in calls] == [0.05, None, 0.01, None, 0.1]
    assert all(cost.seconds > 0 and cost.cpu_seconds > 0 for one in calls for cost in (one.cached, one.uncached))


def test_a_crowd_progresses_and_calls_that_fail_once_are_made_again(redis_server: RedisServer) -> None:
    with running_jobs_environment(redis_server.url, worker_concurrency=20, platform_concurrency=20) as bench:
        assert measure_overhead(bench, 1, questions=1, call_seconds=0.05) > 0
        failed, again = measure_transient_failures(bench, 10, questions=5, seed=3)
        assert (failed, again > 0) == (0, True)
        assert [one.in_progress for one in measure_concurrency_levels(bench, [3, 6])] == [3, 6]
