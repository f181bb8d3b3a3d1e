"""The periodic job of monitoring."""

import pytest
from asgiref.sync import async_to_sync
from procrastinate.contrib.django import app

from monitoring import tasks
from monitoring.models import Heartbeat, RuleState
from monitoring.rules.defaults import DEFAULT_RULES, seed_rules


def test_evaluation_is_a_periodic_job_of_the_maintenance_queue() -> None:
    periodic = {job.task.name: (job.cron, job.task.queue) for job in app.periodic_registry.periodic_tasks.values()}
    assert periodic["monitoring.evaluate"] == ("* * * * * */15", "maintenance")


@pytest.mark.django_db(transaction=True)
def test_job_evaluates_seeded_rules() -> None:
    seed_rules()
    async_to_sync(tasks.evaluate_alert_rules.func)(0)
    assert RuleState.objects.filter(evaluated_at__isnull=False).count() == len(DEFAULT_RULES)
    assert Heartbeat.objects.filter(name="evaluator").exists()
