"""A dump of the database and what it must be worth: every table's rows and checksum, so that a restore is proven."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection, transaction

from diagsite.embedded import binaries

Checksums = dict[str, list[str]]  # table -> [rows, sum of their hashes]

_OF_THE_ADDRESS = ("user", "password", "host", "port", "sslmode", "sslrootcert")
_NAME = "diagsite-{:%Y%m%dT%H%M%S}.dump"
_TABLES = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


class BackupFailed(Exception):
    """What PostgreSQL's own tools said, or what is missing; in words for the operator, without the password."""


def back_up(directory: Path, *, keep: int) -> Path:
    """Dump into the directory, readable by its owner alone, and keep the last so many. Returns the dump.

    The checksums are of the very snapshot that is dumped, however much is written meanwhile. Raises BackupFailed.
    """
    previous = os.umask(0o077)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        dump = directory / _NAME.format(datetime.now(UTC))
        part = dump.with_suffix(".part")
        try:
            with _snapshot() as snapshot:
                _run("pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={part}")
                sums = checksums()
            _run("pg_restore", "--list", str(part))
            dump.with_suffix(".json").write_text(json.dumps({"tables": sums}, indent=1))
            part.rename(dump)
        finally:
            part.unlink(missing_ok=True)
    finally:
        os.umask(previous)
    _drop_all_but(directory, keep)
    return dump


def restore(dump: Path) -> list[str]:
    """Restore into the database of this installation, which must be empty, all or nothing.

    Returns the tables that are not as they were when the dump was made: none, or something is wrong. Raises
    BackupFailed.
    """
    if _table_names():
        raise BackupFailed("the database is not empty: make a new one and point DATABASE_URL to it")
    if not dump.is_file():
        raise BackupFailed(f"there is no file {dump}")
    _run("pg_restore", "--exit-on-error", "--no-owner", "--single-transaction", f"--dbname={_database()}", str(dump))
    return differences(dump)


def differences(dump: Path) -> list[str]:
    """The tables that differ from the dumped ones. Raises BackupFailed without the dump's checksums."""
    try:
        expected: Checksums = json.loads(dump.with_suffix(".json").read_text())["tables"]
    except (OSError, ValueError, LookupError) as error:
        raise BackupFailed(f"restored, but not proven: {dump.with_suffix('.json')} cannot be read") from error
    found = checksums()
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def checksums() -> Checksums:
    """Of every table, whatever the order of its rows."""
    sums = {}
    with transaction.atomic(), connection.cursor() as cursor:
        # What a row is as text depends on these.
        cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 3")
        for table in _table_names():
            # Fifteen hexadecimal digits fit a bigint.
            hashed = "('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint::numeric"
            cursor.execute(f"SELECT count(*), coalesce(sum({hashed}), 0) FROM {table} t")
            sums[table] = [str(one) for one in cursor.fetchone()]
    return sums


def _table_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def _snapshot() -> Iterator[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _drop_all_but(directory: Path, keep: int) -> None:
    for old in sorted(directory.glob("diagsite-*.dump"))[:-keep]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)


def _run(tool: str, *arguments: str) -> None:
    command = [str(_tool(tool)), *arguments]
    done = subprocess.run(command, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise BackupFailed(f"{tool}: {done.stderr.strip()[:1000] or done.returncode}")


def _tool(name: str) -> Path:
    """Of the server's own version, else the next newer: an older one refuses, a newer one writes what it knows."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    candidates = [
        Path(found) for found in (shutil.which(name), str(binaries() / name)) if found and Path(found).exists()
    ]
    versions = {version: path for path in reversed(candidates) if (version := _version_of(path)) >= server}
    if not versions:
        raise BackupFailed(f"no {name} of PostgreSQL {server} or newer: install postgresql-client-{server}")
    return versions[min(versions)]


def _version_of(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"\d+", said)
    return int(found[0]) if found else 0


def _database() -> str:
    return str(connection.get_connection_params()["dbname"])


def _environment() -> dict[str, str]:
    """Where the database is, without putting its password where everybody sees it: on the command line."""
    given = connection.get_connection_params()
    names = {"PGDATABASE": "dbname", **{f"PG{name.upper()}": name for name in _OF_THE_ADDRESS}}
    return {**os.environ, **{variable: str(given[name]) for variable, name in names.items() if given.get(name)}}
