"""Database work of a run, in threads of its own: blocking code in the event loop would stop heartbeats."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog
from channels.db import database_sync_to_async
from django.db import InterfaceError, InternalError, OperationalError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_DATABASE_OUTAGE_SECONDS = 60

# Not the event loop's default threads: there, readers of the event log would wait behind a burst of answers.
_db_executor = ThreadPoolExecutor(8, thread_name_prefix="diagnosis_writes")


READ_ONLY_SQLSTATE = "25006"


async def run_in_db_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous database function in a thread. A database that accepts no writes is unavailable."""
    in_thread = database_sync_to_async(call, thread_sensitive=False, executor=_db_executor)
    try:
        result: T = await in_thread(*args, **kwargs)
    except InternalError as error:
        if getattr(error.__cause__, "sqlstate", None) == READ_ONLY_SQLSTATE:
            raise OperationalError(str(error)) from error
        raise
    return result


async def run_while_database_is_unavailable(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a database function in a thread, retrying while the database is unavailable.

    Raises OperationalError or InterfaceError after MAX_DATABASE_OUTAGE_SECONDS.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(MAX_DATABASE_OUTAGE_SECONDS),
        reraise=True,
    )
    return await retrying(run_in_db_thread, call, *args, **kwargs)


async def run_db_write_with_retry(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a write in a thread, retrying while the database is unavailable: the answers have been paid for.

    A cancelled write is finished before CancelledError is raised, because a worker that loses its database cancels its
    jobs. Raises OperationalError or InterfaceError after MAX_DATABASE_OUTAGE_SECONDS.
    """
    writing = run_while_database_is_unavailable(write, *args, **kwargs)
    return await finish_despite_cancel(asyncio.create_task(writing))


async def finish_despite_cancel(future: asyncio.Future[T]) -> T:
    """Await a future; if the caller is cancelled meanwhile, let the future finish before raising CancelledError."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled() and future.exception():
            log.warning("write_failed", error=repr(future.exception()))
        raise
