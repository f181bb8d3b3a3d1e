"""The periodic job that prunes the tables."""

import structlog
from channels.db import aclose_old_connections, database_sync_to_async
from procrastinate.contrib.django import app

from diagnosis.running.queue import MAINTENANCE_QUEUE
from diagsite.operations.retention import prune_expired_rows

log = structlog.get_logger(__name__)

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
