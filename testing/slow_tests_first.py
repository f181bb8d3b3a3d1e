"""Which files of tests come first, as a pytest plugin: the long ones, so that no worker is left with one of them.

A parallel run gives its workers whole files (`--dist loadfile`), in this order. What is not listed takes a few seconds;
a file that has become long and is not listed costs the run some seconds at its end, and nothing else.
"""

import pytest

SLOWEST_TEST_FILES = [
    "test_kill.py",
    "test_outages.py",
    "test_make_run.py",
    "test_diagnose_command.py",
    "test_run_endings.py",
    "test_errors_on_the_page.py",
    "test_copy_everywhere.py",
    "test_prometheus.py",
    "test_alert_delivery.py",
    "test_browser.py",
    "test_reconnect.py",
    "test_deploy.py",
    "test_platform_refusals.py",
    "test_dashboard.py",
    "test_latency.py",
    "test_bounds.py",
    "test_preflight.py",
    "test_call_retries.py",
    "test_push.py",
    "test_notifications.py",
    "test_jobs.py",
    "test_coverage.py",
    "test_short_runs.py",
    "test_repair.py",
    "test_collector.py",
    "test_embedded_postgres.py",
    "test_cache.py",
    "test_alert_evaluation.py",
    "test_evaluator.py",
    "test_health.py",
    "test_platform_limits.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The listed files first; within a file, and for all the others, the order stays."""
    rank = {name: number for number, name in enumerate(SLOWEST_TEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))
