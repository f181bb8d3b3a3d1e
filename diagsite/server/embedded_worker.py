"""The worker inside another process's event loop, and what keeps it going: both outlive the database going away."""

import asyncio
from typing import Any

import psycopg
import structlog
from django.conf import settings
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from diagnosis.tasks import sweep_diagnoses
from diagsite.server import embedded_postgres
from diagsite.server.db_pool import RECONNECT_TIMEOUT_SECONDS, retry_connect_async

log = structlog.get_logger(__name__)

WORKER_RESTART_DELAY_SECONDS = 1.0
EMBEDDED_DATABASE_POLL_SECONDS = 1.0
POOL_TIMEOUT_SECONDS = 10.0
MAX_WORKER_CONNECTIONS = 4  # of a queue's worker; procrastinate would hold so many all the time


async def run_worker_forever(queue: str, concurrency: int) -> None:
    """Run the jobs of a queue until cancelled, then drain.

    procrastinate's worker ends with its connection: start it again.
    """
    connection_params = connector_params()
    while True:
        try:
            await (
                await psycopg.AsyncConnection.connect(**connection_params)
            ).close()  # fails at once where the pool would wait
            async with app.with_connector(_build_connector(connection_params)).open_async() as worker_app:
                await worker_app.run_worker_async(
                    queues=[queue], concurrency=concurrency, install_signal_handlers=False
                )
        except Exception as error:  # noqa: BLE001 - whatever ended the worker, it must come back
            log.warning("worker_ended", error=repr(error))
        log.warning("worker_restarts")
        await asyncio.sleep(WORKER_RESTART_DELAY_SECONDS)


def _build_connector(connection_params: dict[str, Any]) -> PsycopgConnector:
    return PsycopgConnector(
        kwargs=connection_params,
        min_size=1,
        max_size=MAX_WORKER_CONNECTIONS,
        timeout=POOL_TIMEOUT_SECONDS,
        reconnect_timeout=RECONNECT_TIMEOUT_SECONDS,
        reconnect_failed=retry_connect_async,
    )


async def run_sweep_loop() -> None:
    """Take up what nobody holds, at once and every few seconds, until cancelled.

    Workers sweep as well, by a periodic job; but a worker whose places are all taken runs no job.
    """
    while True:
        try:
            await sweep_diagnoses()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next sweep tries again
            log.warning("sweep_failed", error=repr(error))
        await asyncio.sleep(settings.JOB_SWEEP_SECONDS)


async def supervise_embedded_database() -> None:
    """Start the embedded database again when it dies, until cancelled; another database is none of our business."""
    database = embedded_postgres.get_embedded_server()
    while database:
        await asyncio.sleep(EMBEDDED_DATABASE_POLL_SECONDS)
        if not database.is_running:
            log.warning("embedded_database_down")
            try:
                await asyncio.to_thread(database.ensure_running)
            except Exception as error:  # noqa: BLE001 - the next second tries again
                log.warning("embedded_database_stays_down", error=repr(error))
