"""Temporary tables that were left behind: found by name, backed up as SQL for psql, and dropped."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from diagnosis.legacy.table_layout import TEMPORARY_TABLE_PATTERN
from errors.terminal import gettext as _

DROP_LOCK_TIMEOUT_SECONDS = 3

_LIST_TABLES_SQL = """
    SELECT c.relname, pg_total_relation_size(c.oid), pg_relation_filepath(c.oid),
        EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') AS of_extension,
        EXISTS (SELECT 1 FROM pg_constraint f WHERE f.confrelid = c.oid AND f.conrelid <> c.oid) AS is_referenced,
        EXISTS (SELECT 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
            WHERE d.refobjid = c.oid AND r.ev_class <> c.oid) AS has_views,
        EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS is_partition
    FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    ORDER BY c.relname
"""


@dataclass(frozen=True)
class TemporaryTable:
    """A table with a temporary name. keep_reason: why it must not be dropped; empty if it can be."""

    name: str
    size_bytes: int
    rows: int
    written_at: datetime | None
    keep_reason: str = ""


def find_temporary_tables() -> list[TemporaryTable]:
    """Return the tables with temporary names. `written_at` is None if the role may not read files' times."""
    model_tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    # Libraries may have tables without models, whose names begin with the name of an app.
    prefixes = tuple({f"{app.label}_" for app in apps.get_app_configs()} | {"procrastinate_", "django_", "auth_"})
    tables = []
    with connection.cursor() as cursor:
        cursor.execute(_LIST_TABLES_SQL)
        listed = [row for row in cursor.fetchall() if TEMPORARY_TABLE_PATTERN.fullmatch(row[0])]
        cursor.execute("SELECT has_function_privilege('pg_stat_file(text)', 'EXECUTE')")
        can_read_times = cursor.fetchone()[0]
        for name, size, path, *flags in listed:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
            rows = int(cursor.fetchone()[0])
            written_at = None
            if can_read_times:
                cursor.execute("SELECT (pg_stat_file(%s, true)).modification", [path])
                written_at = cursor.fetchone()[0]
            keep_reason = _get_keep_reason(name, model_tables, prefixes, flags)
            tables.append(TemporaryTable(name, size, rows, written_at, keep_reason))
    return tables


def _get_keep_reason(name: str, model_tables: set[str], prefixes: tuple[str, ...], flags: list[bool]) -> str:
    if name in model_tables:
        return _("属于某个模型")
    of_extension, is_referenced, has_views, is_partition = flags
    keep_reasons = {
        _("属于某个扩展"): of_extension,
        _("另一张表引用它"): is_referenced,
        _("有视图读取它"): has_views,
        _("它是分区"): is_partition,
        _("表名以某个应用的表名前缀开头"): name.startswith(prefixes),
    }
    return next((reason for reason, holds in keep_reasons.items() if holds), "")


def back_up_and_drop_table(name: str, directory: Path) -> Path:
    """Back up and drop a table in one transaction that locks it; return the path of the backup.

    The table is kept on errors. Raises django.db.Error if it is in use or needed, and OSError if the disk is full.
    """
    directory.mkdir(parents=True, exist_ok=True)
    backup = directory / f"{name}-{timezone.now():%Y%m%dT%H%M%S}.sql.gz"
    table = sql.Identifier(name)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{DROP_LOCK_TIMEOUT_SECONDS}s'")
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        try:
            with gzip.open(backup, "wb") as file:
                for part in _dump_table(name):
                    file.write(part)
        except BaseException:
            backup.unlink(missing_ok=True)
            raise
        cursor.execute(sql.SQL("DROP TABLE {}").format(table))
    return backup


def _dump_table(name: str) -> Iterator[bytes]:
    """Yield SQL for psql: columns, rows, constraints and indexes, without sequences."""
    with connection.cursor() as cursor:
        quoted = sql.Identifier(name).as_string(cursor.connection)
        cursor.execute(
            "SELECT quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) "
            "|| CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END "
            "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [quoted],
        )
        columns = ",\n  ".join(row[0] for row in cursor.fetchall())
        yield f"CREATE TABLE {quoted} (\n  {columns}\n);\nCOPY {quoted} FROM stdin;\n".encode()
        with cursor.connection.cursor().copy(f"COPY {quoted} TO STDOUT".encode()) as rows:
            for row in rows:
                yield bytes(row)
        yield b"\\.\n"
        cursor.execute(
            "SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s;', conrelid::regclass, conname, "
            "pg_get_constraintdef(oid)) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'c') "
            "UNION ALL SELECT pg_get_indexdef(indexrelid) || ';' FROM pg_index WHERE indrelid = %s::regclass "
            "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
            [quoted, quoted],
        )
        for (statement,) in cursor.fetchall():
            yield f"{statement}\n".encode()
