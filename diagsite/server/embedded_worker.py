"""A worker in the event loop of another process, and loops that it needs; all survive a database outage."""

import asyncio

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
WORKER_DRAIN_SECONDS = 8.0  # for a cancelled worker; it gives its diagnoses 5 s
MAX_WORKER_CONNECTIONS = 4  # per queue; procrastinate's default pool would hold its maximum all the time


async def run_worker_forever(queue: str, concurrency: int) -> None:
    """Run the jobs of a queue until cancelled, then drain.

    procrastinate's worker ends when it loses its connection, so it is restarted.
    """
    connection_params = connector_params()
    while True:
        try:
            # Fails at once where the pool would wait.
            await (await psycopg.AsyncConnection.connect(**connection_params)).close()
            connector = PsycopgConnector(
                kwargs=connection_params,
                min_size=1,
                max_size=MAX_WORKER_CONNECTIONS,
                timeout=POOL_TIMEOUT_SECONDS,
                reconnect_timeout=RECONNECT_TIMEOUT_SECONDS,
                reconnect_failed=retry_connect_async,
            )
            async with app.with_connector(connector).open_async() as worker_app:
                await worker_app.run_worker_async(
                    queues=[queue], concurrency=concurrency, install_signal_handlers=False
                )
        except Exception as error:  # noqa: BLE001 - the worker is restarted after any error
            log.warning("worker_ended", error=repr(error))
        log.warning("worker_restarts")
        await asyncio.sleep(WORKER_RESTART_DELAY_SECONDS)


async def run_sweep_loop() -> None:
    """Enqueue unfinished diagnoses without a live job, at once and periodically, until cancelled.

    Workers do the same in a periodic job, but a fully occupied worker runs no further job.
    """
    while True:
        try:
            await sweep_diagnoses()
        except Exception as error:  # noqa: BLE001 - the database may be unavailable; the next sweep tries again
            log.warning("sweep_failed", error=repr(error))
        await asyncio.sleep(settings.JOB_SWEEP_SECONDS)


async def supervise_embedded_database() -> None:
    """Restart the embedded database when it dies, until cancelled; return at once for another database."""
    database = embedded_postgres.get_embedded_server()
    while database:
        await asyncio.sleep(EMBEDDED_DATABASE_POLL_SECONDS)
        if not database.is_running:
            log.warning("embedded_database_down")
            try:
                await asyncio.to_thread(database.ensure_running)
            except Exception as error:  # noqa: BLE001 - the next second tries again
                log.warning("embedded_database_stays_down", error=repr(error))
