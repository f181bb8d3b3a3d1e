"""Health checks: those of django-health-check and two of the project, each within a bounded time.

docs/decisions/0006-health-checks.md explains why its view and runner are not used.
"""

import asyncio
import contextvars
import dataclasses
import inspect
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from weakref import WeakKeyDictionary

import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from health_check.base import HealthCheck
from health_check.checks import Database
from health_check.contrib.psutil import Disk
from health_check.contrib.redis import Redis
from health_check.exceptions import HealthCheckException, ServiceUnavailable
from procrastinate.contrib.django.models import ProcrastinateWorker

from performance.redis_clients import create_async_redis

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_SECONDS = 1.5
NO_ANSWER_IN_TIME = "no answer in time"
MAX_DISK_PERCENT = 90
# A server cannot work without these. The other services are shared by all servers, and without them the site is only
# degraded: a load balancer that removed every server then would turn that into an outage.
REQUIRED_CHECKS = frozenset({"database"})


@dataclass(frozen=True)
class HealthResult:
    """The result of one check. `detail` may name hosts and versions: for operators only."""

    name: str
    is_ok: bool
    ms: float
    detail: str = ""


@dataclasses.dataclass
class ChannelLayerCheck(HealthCheck):  # type: ignore[misc]
    """The channel layer delivers a message from this process to itself."""

    async def run(self) -> None:
        """Send a message and receive it; raise the layer's exception on failure."""
        layer, loop, nonce = get_channel_layer(), asyncio.get_running_loop(), uuid.uuid4().hex
        channel = _channel_by_loop.get(loop)
        if channel is None:
            channel = _channel_by_loop[loop] = await layer.new_channel()
        await layer.send(channel, {"type": "health", "nonce": nonce})
        while (await layer.receive(channel))["nonce"] != nonce:
            continue  # skip messages of checks that timed out


# One channel per event loop, never replaced: an abandoned channel is not released in Redis.
_channel_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, str] = WeakKeyDictionary()


@dataclasses.dataclass
class JobWorkerCheck(HealthCheck):  # type: ignore[misc]
    """At least one worker has a recent heartbeat."""

    def run(self) -> None:
        """Raise ServiceUnavailable if no worker has a recent heartbeat."""
        since = timezone.now() - timedelta(seconds=settings.JOB_STALLED_SECONDS)
        try:
            is_alive = ProcrastinateWorker.objects.filter(last_heartbeat__gte=since).exists()
        except DatabaseError as error:
            raise ServiceUnavailable("the database does not answer") from error
        finally:
            connection.close()  # the connection belongs to the thread of the check
        if not is_alive:
            raise ServiceUnavailable(f"no worker within {settings.JOB_STALLED_SECONDS:g} s")


async def check_health(names: Iterable[str] | None = None) -> list[HealthResult]:
    """Run the named checks, or all, concurrently; return within CHECK_TIMEOUT_SECONDS even if a check hangs."""
    checks: dict[str, HealthCheck] = {"database": Database()}
    if settings.REDIS_URL:
        checks["redis"] = Redis(
            client_factory=lambda: create_async_redis(
                settings.REDIS_URL, socket_timeout=CHECK_TIMEOUT_SECONDS, socket_connect_timeout=CHECK_TIMEOUT_SECONDS
            )
        )
    checks |= {
        "push": ChannelLayerCheck(),
        "jobs": JobWorkerCheck(),
        "disk": Disk(path=settings.BASE_DIR, max_disk_usage_percent=MAX_DISK_PERCENT),
    }
    tasks = {name: _ensure_check_running(name, checks[name]) for name in (names or checks)}
    await asyncio.wait(tasks.values(), timeout=CHECK_TIMEOUT_SECONDS)
    results = [
        task.result() if task.done() else HealthResult(name, False, CHECK_TIMEOUT_SECONDS * 1000, NO_ANSWER_IN_TIME)
        for name, task in tasks.items()
    ]
    for result in results:
        _log_change(result)
    return results


def get_overall_status(results: Iterable[HealthResult]) -> str:
    """Return `ok`, `degraded` (an optional check failed) or `unavailable` (a required check failed)."""
    failed = {result.name for result in results if not result.is_ok}
    if failed & REQUIRED_CHECKS:
        return "unavailable"
    return "degraded" if failed else "ok"


# Concurrent requests share one run of each check, so a hanging check occupies one thread or connection, not hundreds.
_tasks_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[HealthResult]]] = (
    WeakKeyDictionary()
)


def _ensure_check_running(name: str, check: HealthCheck) -> asyncio.Task[HealthResult]:
    tasks = _tasks_by_loop.setdefault(asyncio.get_running_loop(), {})
    task = tasks.get(name)
    if task is None or task.done():
        # An empty context: the run is shared by several requests and must not carry the context of the first.
        task = asyncio.create_task(_run_check(name, check), name=f"health_{name}", context=contextvars.Context())
        tasks[name] = task
    return task


async def _run_check(name: str, check: HealthCheck) -> HealthResult:
    started, detail = time.perf_counter(), ""
    is_ok = False
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            if inspect.iscoroutinefunction(check.run):
                await check.run()
            else:
                await asyncio.get_running_loop().run_in_executor(_get_check_executor(name), check.run)
        is_ok = True
    except TimeoutError:
        detail = NO_ANSWER_IN_TIME
    except HealthCheckException as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - any exception is the result of the check
        detail = type(error).__name__
    return HealthResult(name, is_ok, round((time.perf_counter() - started) * 1000, 1), detail)


@cache
def _get_check_executor(name: str) -> ThreadPoolExecutor:
    """Return the thread of a check; separate threads keep a hanging database from failing the disk check."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"health-{name}")


_failing_checks: set[str] = set()


def _log_change(result: HealthResult) -> None:
    """Log when a check starts to fail and when it recovers, not every time: load balancers poll every second."""
    if not result.is_ok and result.name not in _failing_checks:
        _failing_checks.add(result.name)
        log.warning("health_check_failed", check=result.name, detail=result.detail)
    elif result.is_ok and result.name in _failing_checks:
        _failing_checks.discard(result.name)
        log.info("health_check_recovered", check=result.name)
