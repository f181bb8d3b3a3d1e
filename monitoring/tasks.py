"""Periodic jobs of the queue "maintenance": evaluate the rules, send due messages, delete old samples and errors."""

from datetime import timedelta

import structlog
from channels.db import aclose_old_connections, database_sync_to_async
from django.conf import settings
from procrastinate.contrib.django import app

from errors.recording import prune_errors
from monitoring.delivery.outbox import send_due_deliveries
from monitoring.rules.evaluator import EVALUATION_INTERVAL_SECONDS, run_evaluation
from monitoring.samples.retention import prune_samples

log = structlog.get_logger(__name__)

MAINTENANCE_QUEUE = "maintenance"

_run_evaluation_async = database_sync_to_async(run_evaluation, thread_sensitive=False)
_send_due_deliveries_async = database_sync_to_async(send_due_deliveries, thread_sensitive=False)
_prune_samples_async = database_sync_to_async(prune_samples, thread_sensitive=False)
_prune_errors_async = database_sync_to_async(prune_errors, thread_sensitive=False)


@app.periodic(cron=f"* * * * * */{EVALUATION_INTERVAL_SECONDS}")
@app.task(name="monitoring.evaluate", queue=MAINTENANCE_QUEUE, queueing_lock="monitoring.evaluate", priority=20)
async def evaluate_alert_rules(timestamp: int) -> None:
    """Every 15 s: evaluate all rules, then send due messages."""
    await aclose_old_connections()
    try:
        await _run_evaluation_async()
        await _send_due_deliveries_async()
    finally:
        await aclose_old_connections()


@app.periodic(cron="17 4 * * *")
@app.task(name="monitoring.prune", queue=MAINTENANCE_QUEUE, queueing_lock="monitoring.prune")
async def prune_monitoring_data(timestamp: int) -> None:
    """Every night: delete samples and error events that are older than the settings say."""
    await aclose_old_connections()
    try:
        pruned = await _prune_samples_async(older_than=timedelta(days=settings.SAMPLES_KEPT_DAYS))
        events = await _prune_errors_async(older_than=timedelta(days=settings.ERRORS_KEPT_DAYS))
        log.info("pruned", samples=pruned.samples, processes=pruned.processes, error_events=events)
    finally:
        await aclose_old_connections()
