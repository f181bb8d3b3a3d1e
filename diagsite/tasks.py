"""Periodic jobs: pruning the tables, checking the models of the platforms, sending digests."""

import structlog
from channels.db import aclose_old_connections, database_sync_to_async
from procrastinate.contrib.django import app

from diagnosis.running.queue import MAINTENANCE_QUEUE
from diagnosis.workspaces.digests import create_due_issues
from diagsite.notifications.digest_mail import send_due_digests
from diagsite.operations.model_alerts import check_models
from diagsite.operations.retention import prune_expired_rows

log = structlog.get_logger(__name__)

_create_due_issues_async = database_sync_to_async(create_due_issues, thread_sensitive=False)
_send_due_digests_async = database_sync_to_async(send_due_digests, thread_sensitive=False)
_check_models_async = database_sync_to_async(check_models, thread_sensitive=False)
_prune_expired_rows_async = database_sync_to_async(prune_expired_rows, thread_sensitive=False)


@app.periodic(cron="43 3 * * *")
@app.task(name="diagsite.prune", queue=MAINTENANCE_QUEUE, queueing_lock="diagsite.prune")
async def prune_tables(timestamp: int) -> None:
    """Delete the rows that are past their retention (docs/operations/manual.md)."""
    await aclose_old_connections()
    try:
        log.info("pruned", **await _prune_expired_rows_async())
    finally:
        await aclose_old_connections()


@app.periodic(cron="*/10 * * * *")
@app.task(name="diagsite.digests", queue=MAINTENANCE_QUEUE, queueing_lock="diagsite.digests")
async def send_digests(timestamp: int) -> None:
    """Create the digests of complete windows and send those that go by e-mail."""
    await aclose_old_connections()
    try:
        await _create_due_issues_async()
        await _send_due_digests_async()
    finally:
        await aclose_old_connections()


@app.periodic(cron="17 4 * * 1")
@app.task(name="diagsite.check_models", queue=MAINTENANCE_QUEUE, queueing_lock="diagsite.check_models")
async def check_platform_models(timestamp: int) -> None:
    """Compare the platforms' models with their lists and replies, every Monday."""
    await aclose_old_connections()
    try:
        log.info("models_checked", problems=len(await _check_models_async()))
    finally:
        await aclose_old_connections()
