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

CHECK_SECONDS = 1.5
MOST_DISK_PERCENT = 90
# Without these a web server is of no use. The rest is shared by all servers, and costs comfort while it is away: a load
# balancer that dropped every server for it would turn a nuisance into an outage.
NEEDED = frozenset({"database"})


@dataclass(frozen=True)
class Finding:
    """What one check found. `detail` is for operators only: it may name hosts and versions."""

    name: str
    is_ok: bool
    ms: float
    detail: str = ""


@dataclasses.dataclass
class ChannelLayer(HealthCheck):  # type: ignore[misc]
    """A message to ourselves through the layer that carries the wake-ups."""

    async def run(self) -> None:
        """Send and receive; raises whatever the layer raises."""
        layer, loop, nonce = get_channel_layer(), asyncio.get_running_loop(), uuid.uuid4().hex
        channel = _channels.get(loop)
        if channel is None:
            channel = _channels[loop] = await layer.new_channel()
        await layer.send(channel, {"type": "health", "nonce": nonce})
        while (await layer.receive(channel))["nonce"] != nonce:
            continue  # of a check that was given up


# One a loop for ever: a channel that is not received from any more is never given back to Redis.
_channels: WeakKeyDictionary[asyncio.AbstractEventLoop, str] = WeakKeyDictionary()


@dataclasses.dataclass
class JobEngine(HealthCheck):  # type: ignore[misc]
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


def _checks() -> dict[str, HealthCheck]:
    checks: dict[str, HealthCheck] = {"database": Database()}
    if settings.REDIS_URL:
        checks["redis"] = Redis(client_factory=_redis_client)
    disk = Disk(path=settings.BASE_DIR, max_disk_usage_percent=MOST_DISK_PERCENT)
    return checks | {"push": ChannelLayer(), "jobs": JobEngine(), "disk": disk}


def _redis_client() -> RedisClient:
    return RedisClient.from_url(settings.REDIS_URL, socket_timeout=CHECK_SECONDS, socket_connect_timeout=CHECK_SECONDS)


async def check_health(names: Iterable[str] | None = None) -> list[Finding]:
    """Run the named checks, or all, at once; back within CHECK_SECONDS, whatever hangs."""
    checks = _checks()
    tasks = {name: _ensure_running(name, checks[name]) for name in (names or checks)}
    await asyncio.wait(tasks.values(), timeout=CHECK_SECONDS)
    findings = [
        task.result() if task.done() else Finding(name, False, CHECK_SECONDS * 1000, "no answer in time")
        for name, task in tasks.items()
    ]
    for finding in findings:
        _log_change(finding)
    return findings


def status_of(findings: Iterable[Finding]) -> str:
    """`ok`; `degraded`: it serves, with something missing; `unavailable`: it cannot serve."""
    failed = {finding.name for finding in findings if not finding.is_ok}
    if failed & NEEDED:
        return "unavailable"
    return "degraded" if failed else "ok"


# However many ask, one of each check runs at a time; so what hangs holds up one thread or connection, not hundreds.
_running: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[Finding]]] = WeakKeyDictionary()


def _ensure_running(name: str, check: HealthCheck) -> asyncio.Task[Finding]:
    tasks = _running.setdefault(asyncio.get_running_loop(), {})
    task = tasks.get(name)
    if task is None or task.done():
        # In a context of its own: it works for everybody who asks, not for the request that happened to be first.
        task = asyncio.create_task(_run(name, check), name=f"health_{name}", context=contextvars.Context())
        tasks[name] = task
    return task


async def _run(name: str, check: HealthCheck) -> Finding:
    began, detail = time.perf_counter(), ""
    is_ok = False
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            if inspect.iscoroutinefunction(check.run):
                await check.run()
            else:
                await asyncio.get_running_loop().run_in_executor(_thread_of(name), check.run)
        is_ok = True
    except TimeoutError:
        detail = "no answer in time"
    except HealthCheckException as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check has found
        detail = type(error).__name__
    return Finding(name, is_ok, round((time.perf_counter() - began) * 1000, 1), detail)


@cache
def _thread_of(name: str) -> ThreadPoolExecutor:
    """One thread a check: a database that hangs must not have the disk called full."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"health-{name}")


_failing: set[str] = set()


def _log_change(finding: Finding) -> None:
    """Once when it breaks and once when it works again: load balancers ask every second."""
    if not finding.is_ok and finding.name not in _failing:
        _failing.add(finding.name)
        log.warning("health_check_failed", check=finding.name, detail=finding.detail)
    elif finding.is_ok and finding.name in _failing:
        _failing.discard(finding.name)
        log.info("health_check_works_again", check=finding.name)
