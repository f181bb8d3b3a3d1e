"""Is what the site needs in order? django-health-check's checks and two of ours, each within a bounded time.

docs/decisions/0006-health-checks.md says why its view and its runner are not used.
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
from redis.asyncio import Redis as RedisClient

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_SECONDS = 1.5
MAX_DISK_PERCENT = 90
# Without these a web server is of no use. The rest is shared by all servers, and costs comfort while it is away: a load
# balancer that dropped every server for it would turn a nuisance into an outage.
REQUIRED_CHECKS = frozenset({"database"})


@dataclass(frozen=True)
class HealthResult:
    """What one check found. `detail` is for operators only: it may name hosts and versions."""

    name: str
    is_ok: bool
    ms: float
    detail: str = ""


@dataclasses.dataclass
class ChannelLayerCheck(HealthCheck):  # type: ignore[misc]
    """A message to ourselves through the layer that carries the wake-ups."""

    async def run(self) -> None:
        """Send and receive; raises whatever the layer raises."""
        layer, loop, nonce = get_channel_layer(), asyncio.get_running_loop(), uuid.uuid4().hex
        channel = _channel_by_loop.get(loop)
        if channel is None:
            channel = _channel_by_loop[loop] = await layer.new_channel()
        await layer.send(channel, {"type": "health", "nonce": nonce})
        while (await layer.receive(channel))["nonce"] != nonce:
            continue  # of a check that was given up


# One a loop for ever: a channel that is not received from any more is never given back to Redis.
_channel_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, str] = WeakKeyDictionary()


@dataclasses.dataclass
class JobWorkerCheck(HealthCheck):  # type: ignore[misc]
    """At least one worker has given a sign of life of late."""

    def run(self) -> None:
        """Raises ServiceUnavailable when every worker is silent."""
        since = timezone.now() - timedelta(seconds=settings.JOB_STALLED_SECONDS)
        try:
            is_alive = ProcrastinateWorker.objects.filter(last_heartbeat__gte=since).exists()
        except DatabaseError as error:
            raise ServiceUnavailable("the database does not answer") from error
        finally:
            connection.close()  # this thread's own
        if not is_alive:
            raise ServiceUnavailable(f"no worker within {settings.JOB_STALLED_SECONDS:g} s")


def _build_checks() -> dict[str, HealthCheck]:
    checks: dict[str, HealthCheck] = {"database": Database()}
    if settings.REDIS_URL:
        checks["redis"] = Redis(client_factory=_create_redis_client)
    disk = Disk(path=settings.BASE_DIR, max_disk_usage_percent=MAX_DISK_PERCENT)
    return checks | {"push": ChannelLayerCheck(), "jobs": JobWorkerCheck(), "disk": disk}


def _create_redis_client() -> RedisClient:
    return RedisClient.from_url(
        settings.REDIS_URL, socket_timeout=CHECK_TIMEOUT_SECONDS, socket_connect_timeout=CHECK_TIMEOUT_SECONDS
    )


async def check_health(names: Iterable[str] | None = None) -> list[HealthResult]:
    """Run the named checks, or all, at once; back within CHECK_TIMEOUT_SECONDS, whatever hangs."""
    checks = _build_checks()
    tasks = {name: _ensure_check_running(name, checks[name]) for name in (names or checks)}
    await asyncio.wait(tasks.values(), timeout=CHECK_TIMEOUT_SECONDS)
    results = [
        task.result() if task.done() else HealthResult(name, False, CHECK_TIMEOUT_SECONDS * 1000, "no answer in time")
        for name, task in tasks.items()
    ]
    for finding in results:
        _log_change(finding)
    return results


def get_overall_status(results: Iterable[HealthResult]) -> str:
    """`ok`; `degraded`: it serves, with something missing; `unavailable`: it cannot serve."""
    failed = {finding.name for finding in results if not finding.is_ok}
    if failed & REQUIRED_CHECKS:
        return "unavailable"
    return "degraded" if failed else "ok"


# However many ask, one of each check runs at a time; so what hangs holds up one thread or connection, not hundreds.
_tasks_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[HealthResult]]] = (
    WeakKeyDictionary()
)


def _ensure_check_running(name: str, check: HealthCheck) -> asyncio.Task[HealthResult]:
    tasks = _tasks_by_loop.setdefault(asyncio.get_running_loop(), {})
    task = tasks.get(name)
    if task is None or task.done():
        # In a context of its own: it works for everybody who asks, not for the request that happened to be first.
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
        detail = "no answer in time"
    except HealthCheckException as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check has found
        detail = type(error).__name__
    return HealthResult(name, is_ok, round((time.perf_counter() - started) * 1000, 1), detail)


@cache
def _get_check_executor(name: str) -> ThreadPoolExecutor:
    """One thread a check: a database that hangs must not have the disk called full."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"health-{name}")


_failing_checks: set[str] = set()


def _log_change(result: HealthResult) -> None:
    """Once when it breaks and once when it works again: load balancers ask every second."""
    if not result.is_ok and result.name not in _failing_checks:
        _failing_checks.add(result.name)
        log.warning("health_check_failed", check=result.name, detail=result.detail)
    elif result.is_ok and result.name in _failing_checks:
        _failing_checks.discard(result.name)
        log.info("health_check_works_again", check=result.name)
