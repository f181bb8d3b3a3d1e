"""The periodic job of monitoring: evaluate the alert rules and send the notifications that are due."""

from channels.db import aclose_old_connections, database_sync_to_async
from procrastinate.contrib.django import app

from monitoring.delivery.outbox import send_due_deliveries
from monitoring.rules.evaluator import EVALUATION_INTERVAL_SECONDS, run_evaluation

# Also the queue of diagnosis/running/queue.py, which this app does not import.
_MAINTENANCE_QUEUE = "maintenance"

_run_evaluation_async = database_sync_to_async(run_evaluation, thread_sensitive=False)
_send_due_deliveries_async = database_sync_to_async(send_due_deliveries, thread_sensitive=False)


@app.periodic(cron=f"* * * * * */{EVALUATION_INTERVAL_SECONDS}")
@app.task(name="monitoring.evaluate", queue=_MAINTENANCE_QUEUE, queueing_lock="monitoring.evaluate", priority=20)
async def evaluate_alert_rules(timestamp: int) -> None:
    """Evaluate every rule, then send the deliveries that are due."""
    await aclose_old_connections()
    try:
        await _run_evaluation_async()
        await _send_due_deliveries_async()
    finally:
        await aclose_old_connections()
