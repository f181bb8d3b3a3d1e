"""Checks of the database before a start: reachable, and migrated to this version."""

import time

import psycopg
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from errors.terminal import gettext as _

DATABASE_CONNECT_TIMEOUT_SECONDS = 5
MIGRATION_LOCK_RETRY_SECONDS = 0.2
_MIGRATION_LOCK_ID = 7_266_419_083  # arbitrary, but unique among the advisory locks


def require_database() -> None:
    """Raise CommandError with the reason if the database cannot be reached; the pool would only report a timeout."""
    params = connection.get_connection_params() | {"connect_timeout": DATABASE_CONNECT_TIMEOUT_SECONDS}
    try:
        psycopg.connect(**params).close()
    except psycopg.Error as error:
        lines = [line.strip() for line in str(error).splitlines()]
        reason = next((line for line in lines if line and not line.endswith(":")), _("没有说明原因"))
        reason = reason.removeprefix("connection failed: ")
        raise CommandError(_("连不上数据库（DATABASE_URL）：%(reason)s") % {"reason": reason}) from error


def require_migrations_applied() -> None:
    """Raise CommandError if migrations are missing."""
    missing = _count_unapplied_migrations()
    if missing:
        raise CommandError(
            _("数据库缺少 %(count)d 个迁移：请先运行 `manage.py migrate` 和 `manage.py seed`") % {"count": missing}
        )


def migrate_and_seed() -> None:
    """Migrate and seed; processes that start at the same time wait for each other."""
    with connection.cursor() as cursor:
        # Polled, because a concurrent index build waits for all earlier statements: a statement that waited for this
        # lock would cause a deadlock.
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK_ID])
        while not cursor.fetchone()[0]:
            time.sleep(MIGRATION_LOCK_RETRY_SECONDS)
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK_ID])
        try:
            if _count_unapplied_migrations():
                call_command("migrate", verbosity=0, interactive=False)
            call_command("seed", verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK_ID])


def _count_unapplied_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
