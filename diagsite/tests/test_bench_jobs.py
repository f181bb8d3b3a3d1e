"""The benches of the jobs and of cached calls in short: that they run, and what no busy machine can change."""

import pytest

from bench.cache.calls import measure_calls
from bench.jobs.many import measure_crowds, measure_failures, measure_overhead
from bench.jobs.site import running
from bench.jobs.starting import celery, jobs_a_second, measure_starts
from diagsite.tests.services import RedisServer

pytestmark = pytest.mark.redis


def test_orders_start_beside_celerys_jobs(redis_server: RedisServer) -> None:
    with running(redis_server.url) as bench, celery(redis_server.url, 2) as jobs:
        found = measure_starts(bench, jobs, 3)
        assert len(found.ours) == len(found.celerys) == 3
        assert min(found.ours + found.celerys) > 0
        assert min(jobs_a_second(bench, jobs, 3)) > 0
        calls = measure_calls(bench, redis_server.url, 2, questions=1, repeats=1, copies=10)
    assert [one.is_promised for one in calls] == [True, False, True, False, True]
    assert all(cost.seconds > 0 and cost.processor > 0 for one in calls for cost in (one.cached, one.uncached))


def test_a_crowd_progresses_and_calls_that_fail_once_are_made_again(redis_server: RedisServer) -> None:
    with running(redis_server.url, at_once=20, platform_concurrency=20) as bench:
        assert measure_overhead(bench, 1, questions=1, call_seconds=0.05) > 0
        failed, again = measure_failures(bench, 10, questions=5, seed=3)
        assert (failed, again > 0) == (0, True)
        assert [one.in_progress for one in measure_crowds(bench, [3, 6])] == [3, 6]
