"""What runs beside us: database, cache, channel layer, job engine, clock, disk."""

import asyncio
import shutil
import time
import uuid
from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.utils import translation

from diagnosis.models import Platform
from diagsite.database import require_database
from diagsite.preflight.results import FAILED, OK, WARNING, Finding
from errors.models import ErrorCopy
from monitoring.health import check_health

OLDEST_POSTGRES = 140_000
MOST_SECONDS_APART = 2.0
LEAST_FREE_BYTES = 2 * 1024**3
LEAST_FREE_SHARE = 0.1


def check_database() -> Iterator[Finding]:
    """It answers, is new enough, and has room for our connections."""
    require_database()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
        cursor.execute("SHOW max_connections")
        most = int(cursor.fetchone()[0])
    too_old = number < OLDEST_POSTGRES
    yield Finding(FAILED if too_old else OK, f"PostgreSQL {number // 10_000}" + (", 14 or later is needed" * too_old))
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if 2 * pool > most:
        yield Finding(WARNING, f"max_connections {most} is too few for two processes with {pool} each", "connections")


def check_migrations() -> Iterator[Finding]:
    """All applied, and none missing for the models as they are."""
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        yield Finding(FAILED, f"{missing} are not applied: run manage.py migrate")
    with translation.override(None):  # else every name that is translated has changed
        before, now = executor.loader.project_state(), ProjectState.from_apps(apps)
        changes = MigrationAutodetector(before, now).changes(graph=executor.loader.graph)
    if changes:
        yield Finding(FAILED, f"models of {', '.join(changes)} have changed without a migration", "drift")
    if not missing and not changes:
        yield Finding(OK, "all applied")


def check_seeds() -> Iterator[Finding]:
    """The rows that every installation has."""
    platforms, copies = Platform.objects.count(), ErrorCopy.objects.count()
    there = platforms and copies
    yield Finding(OK if there else FAILED, f"{platforms} platforms, {copies} texts" if there else "run manage.py seed")


def check_cache() -> Iterator[Finding]:
    """What is written can be read."""
    for alias in settings.CACHES:
        cache: BaseCache = caches[alias]
        key, value = f"preflight:{uuid.uuid4().hex}", uuid.uuid4().hex
        cache.set(key, value, 10)
        found = cache.get(key)
        cache.delete(key)
        if found == value:
            yield Finding(OK, type(cache).__name__, alias)
        else:
            yield Finding(FAILED, "what was written was not read: is Redis at REDIS_URL there?", alias)


def check_services() -> Iterator[Finding]:
    """What /readyz looks at besides: the channel layer, the job engine, Redis."""
    for finding in asyncio.run(check_health([name for name in ("push", "jobs", "redis") if _is_used(name)])):
        hints = {"jobs": "; start a worker: manage.py procrastinate worker, or manage.py serve"}
        detail = f"{finding.ms:.0f} ms" if finding.is_ok else finding.detail + hints.get(finding.name, "")
        yield Finding(OK if finding.is_ok else FAILED, detail, finding.name)


def _is_used(name: str) -> bool:
    return name != "redis" or bool(settings.REDIS_URL)


def check_clock() -> Iterator[Finding]:
    """Ours and the database's agree: deadlines are written by one and read by the other."""
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        theirs = float(cursor.fetchone()[0])
    after = time.time()
    apart = max(before - theirs, theirs - after, 0.0)
    level = OK if apart <= MOST_SECONDS_APART else FAILED
    yield Finding(level, f"{apart:.1f} s apart from the database's" + ("" if level == OK else ": set up NTP on both"))


def check_disk() -> Iterator[Finding]:
    """Room for logs, backups and the embedded database."""
    usage = shutil.disk_usage(settings.BASE_DIR)
    is_enough = usage.free >= LEAST_FREE_BYTES and usage.free / usage.total >= LEAST_FREE_SHARE
    detail = f"{usage.free / 1e9:.1f} GB ({usage.free / usage.total:.0%}) free at {settings.BASE_DIR}"
    yield Finding(OK if is_enough else WARNING, detail)
