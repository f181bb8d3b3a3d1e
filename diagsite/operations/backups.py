"""Dumps of the database with the row count and checksum of every table, which a restore verifies."""

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

from diagsite.server.embedded_postgres import get_binaries_directory
from errors.terminal import gettext as _

Checksums = dict[str, list[str]]  # table -> [row count, sum of the rows' hashes]

_CONNECTION_PARAMETERS = ("user", "password", "host", "port", "sslmode", "sslrootcert")
_FILE_NAME_FORMAT = "diagsite-{:%Y%m%dT%H%M%S}.dump"
_LIST_TABLES_SQL = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


class BackupFailed(Exception):
    """A tool of PostgreSQL failed or is missing; the text is for the operator and contains no password."""


def create_backup(directory: Path, *, keep: int) -> Path:
    """Dump the database into a directory, readable by its owner only; return the path. Raises BackupFailed.

    keep: the number of dumps to keep. The checksums are computed in the snapshot of the dump.
    """
    previous = os.umask(0o077)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        dump = directory / _FILE_NAME_FORMAT.format(datetime.now(UTC))
        partial = dump.with_suffix(".part")
        try:
            with _export_snapshot() as snapshot:
                _run_tool("pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={partial}")
                sums = compute_checksums()
            _run_tool("pg_restore", "--list", str(partial))
            dump.with_suffix(".json").write_text(json.dumps({"tables": sums}, indent=1))
            partial.rename(dump)
        finally:
            partial.unlink(missing_ok=True)
    finally:
        os.umask(previous)
    for old in sorted(directory.glob("diagsite-*.dump"))[:-keep]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return dump


def restore_backup(dump: Path) -> list[str]:
    """Restore into the database of this site, which must be empty, in one transaction. Raises BackupFailed.

    Returns the tables that differ from the dump, which should be none.
    """
    if _list_table_names():
        raise BackupFailed(_("数据库不是空的；请新建一个，并让 DATABASE_URL 指向它"))
    if not dump.is_file():
        raise BackupFailed(_("没有文件 %(path)s") % {"path": dump})
    _run_tool(
        "pg_restore",
        "--exit-on-error",
        "--no-owner",
        "--single-transaction",
        f"--dbname={connection.get_connection_params()['dbname']}",
        str(dump),
    )
    return find_differing_tables(dump)


def find_differing_tables(dump: Path) -> list[str]:
    """Return the tables that differ from the dump. Raises BackupFailed if its checksums cannot be read."""
    try:
        expected: Checksums = json.loads(dump.with_suffix(".json").read_text())["tables"]
    except (OSError, ValueError, LookupError) as error:
        text = _("已恢复，但没有核对：读不了 %(path)s")
        raise BackupFailed(text % {"path": dump.with_suffix(".json")}) from error
    actual = compute_checksums()
    return sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))


def compute_checksums() -> Checksums:
    """Compute the checksums of all tables, independent of the order of rows."""
    sums = {}
    with transaction.atomic(), connection.cursor() as cursor:
        # The text of a row depends on these.
        cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 3")
        for table in _list_table_names():
            # Fifteen hexadecimal digits fit a bigint.
            hashed = "('x' || substr(md5((t.*)::text), 1, 15))::bit(60)::bigint::numeric"
            cursor.execute(f"SELECT count(*), coalesce(sum({hashed}), 0) FROM {table} t")
            sums[table] = [str(value) for value in cursor.fetchone()]
    return sums


def _list_table_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_LIST_TABLES_SQL)
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def _export_snapshot() -> Iterator[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _run_tool(tool: str, *arguments: str) -> None:
    # The connection parameters are in the environment, because command lines are visible to all users.
    parameters = connection.get_connection_params()
    names = {"PGDATABASE": "dbname", **{f"PG{name.upper()}": name for name in _CONNECTION_PARAMETERS}}
    environment = {variable: str(parameters[name]) for variable, name in names.items() if parameters.get(name)}
    process = subprocess.run(
        [str(_find_tool(tool)), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise BackupFailed(f"{tool}: {process.stderr.strip()[:1000] or process.returncode}")


def _find_tool(name: str) -> Path:
    """Find the program in the server's version or the next newer one; an older pg_dump refuses to run."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10_000
    paths_by_version: dict[int, Path] = {}
    for candidate in (shutil.which(name), str(get_binaries_directory() / name)):  # of equal versions, the first one
        if candidate and Path(candidate).exists():
            output = subprocess.run([candidate, "--version"], capture_output=True, text=True).stdout
            version = re.search(r"\d+", output)
            paths_by_version.setdefault(int(version[0]) if version else 0, Path(candidate))
    usable = [version for version in paths_by_version if version >= server]
    if not usable:
        raise BackupFailed(
            _("没有 PostgreSQL %(version)d 或更新版本的 %(tool)s：请安装 postgresql-client-%(version)d")
            % {"tool": name, "version": server}
        )
    return paths_by_version[min(usable)]
