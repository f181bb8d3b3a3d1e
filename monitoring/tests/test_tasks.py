"""The periodic jobs of the queue "maintenance"."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from procrastinate.contrib.django import app

from errors.models import ErrorEvent
from monitoring import tasks
from monitoring.models import Heartbeat, RuleState, Sample
from monitoring.rules.defaults import seed_rules
from testing.samples import make_process, make_series, write_values


def test_jobs_are_periodic_on_the_maintenance_queue() -> None:
    periodic = {
        periodic_task.task.name: (periodic_task.cron, periodic_task.task.queue)
        for periodic_task in app.periodic_registry.periodic_tasks.values()
    }
    assert periodic["monitoring.evaluate"] == ("* * * * * */15", "maintenance")
    assert periodic["monitoring.prune"][1] == "maintenance"


@pytest.mark.django_db(transaction=True)
def test_job_evaluates_seeded_rules() -> None:
    seed_rules()
    async_to_sync(tasks.evaluate_alert_rules.func)(0)
    assert RuleState.objects.filter(evaluated_at__isnull=False).count() == 5
    assert Heartbeat.objects.filter(name="evaluator").exists()


@pytest.mark.django_db(transaction=True)
def test_job_deletes_data_older_than_the_settings() -> None:
    now = timezone.now()
    old, series = make_process(now - timedelta(days=60), now - timedelta(days=40)), make_series("jobs_running", {})
    new = make_process(now - timedelta(days=60), now)
    write_values([(old, series, now - timedelta(days=40), 1.0), (new, series, now, 2.0)])
    for days in (1, 40):
        ErrorEvent.objects.create(
            code="SERVER_ERROR", fingerprint="f", outcome="shown", created_at=now - timedelta(days=days)
        )
    async_to_sync(tasks.prune_monitoring_data.func)(0)
    assert Sample.objects.get().process == new
    assert ErrorEvent.objects.count() == 1
