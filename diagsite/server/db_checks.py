"""Is the database there, and are its tables those that this code knows?"""

import time

import psycopg
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

DATABASE_CONNECT_TIMEOUT_SECONDS = 5
MIGRATION_LOCK_RETRY_SECONDS = 0.2
_MIGRATION_LOCK_ID = 7_266_419_083  # any number will do that no other advisory lock of this database has


def require_database() -> None:
    """Say in one line why the database cannot be reached. Asked directly: the pool would only say that it waited."""
    params = connection.get_connection_params() | {"connect_timeout": DATABASE_CONNECT_TIMEOUT_SECONDS}
    try:
        psycopg.connect(**params).close()
    except psycopg.Error as error:
        raise CommandError(f"cannot reach the database (DATABASE_URL): {_extract_reason(error)}") from error


def _extract_reason(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.endswith(":")), "it says nothing").removeprefix(
        "connection failed: "
    )


def require_migrations_applied() -> None:
    """Refuse to run on tables of another version."""
    missing = _count_unapplied_migrations()
    if missing:
        raise CommandError(
            f"the database lacks {missing} migrations: run `manage.py migrate` and `manage.py seed` first"
        )


def migrate_and_seed() -> None:
    """Migrate and seed. Of several processes that start at the same time one does it, the others wait for it."""
    with connection.cursor() as cursor:
        _acquire_migration_lock(cursor)
        try:
            if _count_unapplied_migrations():
                call_command("migrate", verbosity=0, interactive=False)
            call_command("seed", verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK_ID])


def _acquire_migration_lock(cursor: CursorWrapper) -> None:
    # Asked again and again rather than once with a wait: an index that is built concurrently waits for every statement
    # that was there before it, so it would wait for whoever waits for it.
    while not _try_migration_lock(cursor):
        time.sleep(MIGRATION_LOCK_RETRY_SECONDS)


def _try_migration_lock(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK_ID])
    return bool(cursor.fetchone()[0])


def _count_unapplied_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
