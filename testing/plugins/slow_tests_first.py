"""A pytest plugin: run the slowest test files first, so that no worker is left with one of them at the end.

A parallel run distributes whole files (`--dist loadfile`) in this order. Files that are not listed take a few seconds.
"""

import pytest

SLOWEST_TEST_FILES = [
    "test_make_run.py",
    "test_outages.py",
    "test_attacks.py",
    "test_access_table.py",
    "test_spending.py",
    "test_migrations.py",
    "test_kill.py",
    "test_steps.py",
    "test_diagnose_command.py",
    "test_run_endings.py",
    "test_errors_on_the_page.py",
    "test_copy_everywhere.py",
    "test_prometheus.py",
    "test_alerts.py",
    "test_chaos.py",
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
    """Move the tests of the listed files to the front, in the order of the list; otherwise keep the order."""
    rank = {name: number for number, name in enumerate(SLOWEST_TEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))
