"""Temporary tables are found and dropped with a backup; tables that something needs are kept."""

import gzip
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, connection, transaction

from diagsite.operations import temporary_tables
from diagsite.operations.temporary_tables import back_up_and_drop_table, find_temporary_tables

pytestmark = pytest.mark.django_db

LEFT = ["bak_users", "orders_backup", "report_old", "report_v1", "report_v2", "temp_rows", "tmp_rows"]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture
def left() -> None:
    for name in LEFT:
        _execute(f"CREATE TABLE {name} (id serial PRIMARY KEY, note text NOT NULL, at timestamptz)")
        _execute(f"INSERT INTO {name} (note, at) VALUES ('one\ttab', now()), (E'two\\nlines \\\\.', NULL)")
        _execute(f"CREATE INDEX ON {name} (note)")


def test_temporary_tables_are_found_with_rows_size_and_last_write(left: None) -> None:
    _execute("CREATE TABLE contemporary (id int)")
    tables = find_temporary_tables()
    assert [table.name for table in tables] == LEFT
    assert all(table.rows == 2 and table.size_bytes > 0 and not table.keep_reason for table in tables)


def test_tables_of_models_and_libraries_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_tables, "TEMPORARY_TABLE_PATTERN", re.compile(".*"))
    tables = {table.name: table.keep_reason for table in find_temporary_tables()}
    assert {model._meta.db_table for model in apps.get_models() if model._meta.managed} <= set(tables)
    assert all(tables.values()), tables


def test_tables_that_something_needs_are_kept() -> None:
    _execute("CREATE TABLE tmp_parent (id int PRIMARY KEY)")
    _execute("CREATE TABLE child (parent int REFERENCES tmp_parent)")
    _execute("CREATE TABLE tmp_seen (id int)")
    _execute("CREATE VIEW seen AS SELECT id FROM tmp_seen")
    _execute("CREATE TABLE diagnosis_answer_old (id int)")
    assert {table.name: table.keep_reason for table in find_temporary_tables()} == {
        "tmp_parent": "another table refers to it",
        "tmp_seen": "a view reads it",
        "diagnosis_answer_old": "its name has the prefix of an app's tables",
    }


def test_dropped_table_can_be_restored_from_its_backup(left: None, tmp_path: Path) -> None:
    before = _rows("SELECT * FROM tmp_rows ORDER BY id")
    backup = back_up_and_drop_table("tmp_rows", tmp_path)
    assert "tmp_rows" not in connection.introspection.table_names()
    script = gzip.decompress(backup.read_bytes()).decode()
    head, rest = script.split('COPY "tmp_rows" FROM stdin;\n')
    data, tail = rest.split("\n\\.\n")
    _execute(head)
    with connection.cursor() as cursor, cursor.connection.cursor().copy("COPY tmp_rows FROM stdin") as copy:
        copy.write(data + "\n")
    _execute(tail)
    assert _rows("SELECT * FROM tmp_rows ORDER BY id") == before
    assert len(_rows("SELECT indexname FROM pg_indexes WHERE tablename = 'tmp_rows'")) == 2


def test_failed_drop_leaves_no_backup(tmp_path: Path) -> None:
    with pytest.raises(Error), transaction.atomic():
        back_up_and_drop_table("tmp_of_nobody", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_command_changes_nothing_without_apply(left: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("clean_temporary_tables", backups=tmp_path)
    assert "7 of 7 tables can be dropped" in capsys.readouterr().out
    assert set(LEFT) <= set(connection.introspection.table_names())
    call_command("clean_temporary_tables", "--apply", "--table", "bak_users", backups=tmp_path)
    assert "bak_users dropped; backup:" in capsys.readouterr().out
    assert [table.name for table in find_temporary_tables()] == LEFT[1:]


def test_unwritable_directory_is_reported_in_one_line(left: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="some tables were not dropped"):
        call_command("clean_temporary_tables", "--apply", "--table", "tmp_rows", backups=tmp_path / "file")
    assert "tmp_rows" in connection.introspection.table_names()
