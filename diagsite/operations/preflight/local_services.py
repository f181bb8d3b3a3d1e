"""Checks of the local environment: database, cache, channel layer, jobs, clock, disk."""

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
from diagsite.operations.preflight.results import FAILED, OK, WARNING, CheckFinding
from diagsite.server.db_checks import require_database
from errors.models import ErrorCopy
from errors.terminal import gettext as _
from monitoring.health import check_health

MIN_POSTGRES_VERSION = 140_000
MAX_CLOCK_SKEW_SECONDS = 2.0
MIN_FREE_BYTES = 2 * 1024**3
MIN_FREE_RATIO = 0.1


def check_database() -> Iterator[CheckFinding]:
    """Check version and connection limit of the database."""
    require_database()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
        cursor.execute("SHOW max_connections")
        max_connections = int(cursor.fetchone()[0])
    too_old, version = number < MIN_POSTGRES_VERSION, number // 10_000
    yield CheckFinding(
        FAILED if too_old else OK,
        _("PostgreSQL %(version)d，需要 14 或更新的版本") % {"version": version}
        if too_old
        else f"PostgreSQL {version}",
    )
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if 2 * pool > max_connections:
        yield CheckFinding(
            WARNING,
            _("max_connections 为 %(connections)d，不够两个各用 %(pool)d 个连接的进程")
            % {"connections": max_connections, "pool": pool},
            "connections",
        )


def check_migrations() -> Iterator[CheckFinding]:
    """Check that all migrations are applied and none is missing for the models."""
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        yield CheckFinding(FAILED, _("有 %(count)d 个迁移没有执行：请运行 manage.py migrate") % {"count": missing})
    with translation.override(None):  # otherwise translated names count as changes
        before, now = executor.loader.project_state(), ProjectState.from_apps(apps)
        changes = MigrationAutodetector(before, now).changes(graph=executor.loader.graph)
    if changes:
        yield CheckFinding(FAILED, _("%(apps)s 的模型有改动，但没有迁移") % {"apps": ", ".join(changes)}, "drift")
    if not missing and not changes:
        yield CheckFinding(OK, _("全部已执行"))


def check_seeds() -> Iterator[CheckFinding]:
    """Check that the database is seeded."""
    platforms, copies = Platform.objects.count(), ErrorCopy.objects.count()
    is_seeded = platforms and copies
    yield CheckFinding(
        OK if is_seeded else FAILED,
        _("%(platforms)d 个平台，%(texts)d 条文案") % {"platforms": platforms, "texts": copies}
        if is_seeded
        else _("请运行 manage.py seed"),
    )


def check_cache() -> Iterator[CheckFinding]:
    """Check that a written value can be read."""
    for alias in settings.CACHES:
        cache: BaseCache = caches[alias]
        key, value = f"preflight:{uuid.uuid4().hex}", uuid.uuid4().hex
        cache.set(key, value, 10)
        stored = cache.get(key)
        cache.delete(key)
        if stored == value:
            yield CheckFinding(OK, type(cache).__name__, alias)
        else:
            yield CheckFinding(FAILED, _("写入的值读不出来；REDIS_URL 处的 Redis 在运行吗？"), alias)


def check_services() -> Iterator[CheckFinding]:
    """Check channel layer, workers and Redis, as /readyz does."""
    for finding in asyncio.run(check_health(["push", "jobs", *(["redis"] if settings.REDIS_URL else [])])):
        hints = {"jobs": _("；请启动后台任务进程：manage.py procrastinate worker 或 manage.py serve")}
        detail = f"{finding.ms:.0f} ms" if finding.is_ok else finding.detail + hints.get(finding.name, "")
        yield CheckFinding(OK if finding.is_ok else FAILED, detail, finding.name)


def check_clock() -> Iterator[CheckFinding]:
    """Check that the clocks of this machine and of the database agree."""
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        database_time = float(cursor.fetchone()[0])
    after = time.time()
    skew_seconds = max(before - database_time, database_time - after, 0.0)
    level = OK if skew_seconds <= MAX_CLOCK_SKEW_SECONDS else FAILED
    yield CheckFinding(
        level,
        _("与数据库的时钟相差 %(seconds).1f 秒") % {"seconds": skew_seconds}
        + ("" if level == OK else _("；请在两台机器上设置 NTP")),
    )


def check_disk() -> Iterator[CheckFinding]:
    """Check the free space for logs, backups and the embedded database."""
    usage = shutil.disk_usage(settings.BASE_DIR)
    is_enough = usage.free >= MIN_FREE_BYTES and usage.free / usage.total >= MIN_FREE_RATIO
    figures = {"size": usage.free / 1e9, "percent": 100 * usage.free / usage.total, "directory": settings.BASE_DIR}
    detail = _("%(directory)s 剩余 %(size).1f GB（%(percent).0f%%）") % figures
    yield CheckFinding(OK if is_enough else WARNING, detail)
