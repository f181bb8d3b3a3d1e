"""Backups contain every row, restores verify it, and neither shows the password."""

import json
import os
import uuid
from pathlib import Path

import psycopg
import pytest

from testing.services import execute_sql, get_database_url
from testing.site import create_database, run_management_command

ROWS = """
INSERT INTO diagsite_revokedtoken SELECT gen_random_uuid(), now() FROM generate_series(1, 300);
INSERT INTO diagsite_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
    date_joined) VALUES ('', false, '张三 ''"\\', '', '', '', false, true, now());
"""


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A database with rows, and its backup in a directory with two older ones."""
    address, directory = create_database(), tmp_path_factory.mktemp("backups")
    execute_sql(address, ROWS)
    for old in ("20200101T000000", "20210101T000000"):
        (directory / f"diagsite-{old}.dump").touch()
        (directory / f"diagsite-{old}.json").touch()
    return address, Path(run_management_command(["backup", str(directory), "--keep", "2"], address).strip())


def empty_database() -> str:
    name = f"restored_{uuid.uuid4().hex[:12]}"
    execute_sql(os.environ["DATABASE_URL"], f"CREATE DATABASE {name}")
    return get_database_url(name)


def read_rows(address: str) -> dict[str, list[str]]:
    """Read every row of every table as text, independently of the checksums."""
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name: sorted(row for (row,) in connection.execute(f"SELECT t::text FROM {name} t".encode()).fetchall())
            for (name,) in tables
        }


def test_restored_database_equals_the_original(backed_up: tuple[str, Path]) -> None:
    address, dump = backed_up
    restored = empty_database()
    said = run_management_command(["restore", str(dump)], restored)
    assert "restored and verified" in said
    before, after = read_rows(address), read_rows(restored)
    assert len(before["diagsite_revokedtoken"]) == 300
    # The restore command has written its own metrics there.
    for rows in (before, after):
        for table in ("monitoring_sample", "monitoring_series", "monitoring_process"):
            rows.pop(table, None)
    assert before == after
    execute_sql(restored, "INSERT INTO auth_group (name) VALUES ('the sequences go on')")


def test_backup_is_private_and_old_ones_are_deleted(backed_up: tuple[str, Path]) -> None:
    _address, dump = backed_up
    assert {path.stat().st_mode & 0o077 for path in (dump, dump.with_suffix(".json"))} == {0}
    kept = sorted(path.name for path in dump.parent.glob("*.dump"))
    assert kept == ["diagsite-20210101T000000.dump", dump.name]
    assert len(list(dump.parent.glob("*.json"))) == 2


def test_differing_table_is_named(backed_up: tuple[str, Path], tmp_path: Path) -> None:
    _address, dump = backed_up
    other = tmp_path / dump.name
    other.write_bytes(dump.read_bytes())
    sums = json.loads(dump.with_suffix(".json").read_text())
    sums["tables"]["diagsite_revokedtoken"][0] = "299"
    other.with_suffix(".json").write_text(json.dumps(sums))
    with pytest.raises(AssertionError, match=r"differ from the backup: diagsite_revokedtoken\n"):
        run_management_command(["restore", str(other)], empty_database())


def test_restore_needs_an_empty_database(backed_up: tuple[str, Path]) -> None:
    address, dump = backed_up
    with pytest.raises(AssertionError, match="the database is not empty"):
        run_management_command(["restore", str(dump)], address)


def test_failed_backup_leaves_no_file_and_shows_no_password(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failure:
        run_management_command(["backup", str(tmp_path)], "postgresql://nobody:the-password@127.0.0.1:1/none")
    assert list(tmp_path.iterdir()) == []
    assert "the-password" not in str(failure.value)
