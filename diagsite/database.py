"""Is the database there, and are its tables those that this code knows?"""

import time

import psycopg
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

CONNECT_SECONDS = 5
SECONDS_BETWEEN_TRIES = 0.2
_MIGRATING = 7_266_419_083  # any number will do that no other advisory lock of this database has


def require_database() -> None:
    """Say in one line why the database cannot be reached. Asked directly: the pool would only say that it waited."""
    params = connection.get_connection_params() | {"connect_timeout": CONNECT_SECONDS}
    try:
        psycopg.connect(**params).close()
    except psycopg.Error as error:
        raise CommandError(f"cannot reach the database (DATABASE_URL): {_reason(error)}") from error


def _reason(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.endswith(":")), "it says nothing").removeprefix(
        "connection failed: "
    )


def require_tables() -> None:
    """Refuse to run on tables of another version."""
    missing = _unapplied()
    if missing:
        raise CommandError(
            f"the database lacks {missing} migrations: run `manage.py migrate` and `manage.py seed` first"
        )


def prepare_tables() -> None:
    """Migrate and seed. Of several processes that start at the same time one does it, the others wait for it."""
    with connection.cursor() as cursor:
        _wait_for_turn(cursor)
        try:
            if _unapplied():
                call_command("migrate", verbosity=0, interactive=False)
            call_command("seed", verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def _wait_for_turn(cursor: CursorWrapper) -> None:
    # Asked again and again rather than once with a wait: an index that is built concurrently waits for every statement
    # that was there before it, so it would wait for whoever waits for it.
    while not _take_turn(cursor):
        time.sleep(SECONDS_BETWEEN_TRIES)


def _take_turn(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATING])
    return bool(cursor.fetchone()[0])


def _unapplied() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
