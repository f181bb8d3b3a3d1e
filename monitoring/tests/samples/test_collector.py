"""What processes store: exact sums despite repeated, lost and concurrent flushes."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from django.utils import timezone
from prometheus_client import Counter

from monitoring.metrics import command_seconds, commands, jobs_running
from monitoring.models import Sample, Series
from monitoring.samples import collector
from monitoring.samples.collector import build_series_key, flush_samples
from testing.site import PROJECT_ROOT, build_environment, create_database, run_management_command

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def start_new_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_current_run", None)


@pytest.fixture
def counter() -> Iterator[Counter]:
    """A series that no other test uses."""
    yield commands.labels("of_a_test", "done")
    commands.remove("of_a_test", "done")


def list_values(metric: str, **labels: str) -> list[float]:
    return [
        sample.value
        for sample in Sample.objects.filter(series__key=build_series_key(metric, labels)).order_by("bucket")
    ]


def test_bucket_contains_the_absolute_value_at_its_end(counter: Counter) -> None:
    at = datetime.fromisoformat("2026-05-01T12:00:01+00:00")
    counter.inc(3)
    flush_samples(at)
    counter.inc(2)
    flush_samples(at + timedelta(seconds=13))
    flush_samples(at + timedelta(seconds=13))
    counter.inc()
    flush_samples(at + timedelta(seconds=15))
    assert list_values("commands_total", command="of_a_test", outcome="done") == [5, 6]


def test_histogram_is_stored_as_sum_and_count() -> None:
    command_seconds.labels("of_a_test").observe(1.5)
    command_seconds.labels("of_a_test").observe(2.0)
    flush_samples()
    command_seconds.remove("of_a_test")
    assert list_values("command_seconds_sum", command="of_a_test") == [3.5]
    assert list_values("command_seconds_count", command="of_a_test") == [2]
    assert not Series.objects.filter(metric="command_seconds_bucket").exists()


def test_unused_gauge_is_not_stored_but_a_return_to_zero_is() -> None:
    at = timezone.now()
    gauge = jobs_running.labels("of_a_test")
    flush_samples(at)
    gauge.set(2)
    flush_samples(at + timedelta(seconds=15))
    gauge.set(0)
    flush_samples(at + timedelta(seconds=30))
    jobs_running.remove("of_a_test")
    assert list_values("jobs_running", task="of_a_test") == [2, 0]


def test_deleted_series_is_created_again(counter: Counter) -> None:
    counter.inc()
    flush_samples()
    Series.objects.all().delete()
    counter.inc()
    flush_samples()
    assert list_values("commands_total", command="of_a_test", outcome="done") == [2]


def test_unchanged_counter_is_stored_once_per_hour(counter: Counter) -> None:
    counter.inc()
    at = timezone.now()
    for seconds in (0, 15, 30, 3599, 3600, 3615):
        flush_samples(at + timedelta(seconds=seconds))
    assert list_values("commands_total", command="of_a_test", outcome="done") == [1, 1]


def test_long_keys_are_shortened_and_unique() -> None:
    keys = {build_series_key("metric", {"label": "x" * 500 + end}) for end in "ab"}
    assert len(keys) == 2
    assert all(len(key) <= 400 for key in keys)


FOUR_PROCESSES = """
import os, random, sys, django
django.setup()
from django.db import OperationalError
from monitoring.samples import collector
from monitoring.metrics import commands
from monitoring.models import Sample

stored = Sample.objects.bulk_create

def store_and_raise(*args, **kwargs):
    stored(*args, **kwargs)
    raise OperationalError("the commit is lost")

def count():
    for n in range(20):
        commands.labels("of_a_test", "done").inc()
        if random.random() < 0.3:
            collector.Sample.objects.bulk_create = store_and_raise
            try:
                collector.flush_samples()
            except OperationalError:
                pass
            collector.Sample.objects.bulk_create = stored
        for _ in range(random.choice([1, 1, 2])):
            collector.flush_samples()

def fork():
    pid = os.fork()
    if not pid:
        count()
        sys.stdout.flush()
        os._exit(0)
    return pid

sys.exit(max(os.waitpid(pid, 0)[1] for pid in [fork() for _ in range(4)]))
"""


def test_sums_are_exact_despite_lost_and_repeated_flushes() -> None:
    address = create_database()
    environment = build_environment(address, DJANGO_SETTINGS_MODULE="diagsite.settings")
    subprocess.run([sys.executable, "-c", FOUR_PROCESSES], cwd=PROJECT_ROOT, env=environment, check=True, timeout=120)
    last = """
        SELECT count(*), sum(value) FROM (
            SELECT DISTINCT ON (process_id) value FROM monitoring_sample
            JOIN monitoring_series ON monitoring_series.id = series_id
            WHERE key = 'commands_total{command=of_a_test,outcome=done}' ORDER BY process_id, bucket DESC) AS latest
    """
    with psycopg.connect(address) as connection:
        assert connection.execute(last).fetchone() == (4, 80)


def test_commands_without_database_do_not_connect_for_samples() -> None:
    address = create_database()
    run_management_command(["prune", "--only", "samples"], address)
    run_management_command(["errors_coverage", "--built-in"], "postgresql://nobody@127.0.0.1:1/none")
    with psycopg.connect(address) as connection:
        keys = {key for (key,) in connection.execute("SELECT key FROM monitoring_series")}
    assert "commands_total{command=prune,outcome=done}" in keys
    assert "command_seconds_count{command=prune}" in keys
