"""Migrations since the first release keep every row, rewrite no big table, and do not block the old code.

A release that moves or drops something adds its own starting point here.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from testing.services import execute_sql, get_database_url, wait_until

# The first migrations of each app that form a complete site.
FIRST = [
    ("diagsite", "0001_initial"),
    ("diagnosis", "0002_initial"),
    ("progress", "0001_initial"),
    ("errors", "0001_initial"),
    ("monitoring", "0001_initial"),
]
# Tables where a rewrite, or an index that is not built concurrently, would block the site.
BIG = ["diagnosis_diagnosis", "diagnosis_question", "diagnosis_brand", "diagnosis_answer", "progress_event"]
BIG += ["progress_stream", "errors_errorevent", "monitoring_sample"]
ALIAS = "old"


@contextmanager
def database(made: str) -> Iterator[str]:
    """Create a database for the alias; return its name."""
    name = f"old_{uuid.uuid4().hex[:12]}"
    execute_sql(get_database_url("postgres"), f"CREATE DATABASE {name} {made}")
    options = {"host": settings.DATABASES["default"]["OPTIONS"].get("host", ""), "options": "-c lock_timeout=300ms"}
    connections.databases[ALIAS] = {
        **connections.databases["default"],
        "NAME": name,
        "OPTIONS": {key: value for key, value in options.items() if value},
        "TEST": {"MIRROR": None},
    }
    yield name
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.databases[ALIAS]


@pytest.fixture(scope="module")
def first(django_db_blocker: Any) -> str:
    """The name of a database with the tables of the first release."""
    with django_db_blocker.unblock(), database("") as name:
        migrate(FIRST)
        return name


@pytest.fixture
def old(first: str, django_db_blocker: Any) -> Iterator[str]:
    """The URL of a copy of that database."""
    with django_db_blocker.unblock(), database(f"TEMPLATE {first}") as name:
        yield get_database_url(name)


def migrate(targets: list[Any]) -> Any:
    """Migrate to the targets; return the historical models."""
    executor = MigrationExecutor(connections[ALIAS])
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


def latest() -> list[Any]:
    """Return the latest migrations."""
    leaves: list[Any] = MigrationExecutor(connections[ALIAS]).loader.graph.leaf_nodes()
    return leaves


def first_models() -> Any:
    """Return the models of the first release."""
    return MigrationExecutor(connections[ALIAS]).loader.project_state(FIRST).apps


def write_as_the_first_release(apps: Any) -> None:
    """Create a user with a diagnosis as the first release did, with optional columns empty."""

    def new(label: str, **columns: Any) -> Any:
        return apps.get_model(label).objects.using(ALIAS).create(**columns)

    user = new("diagsite.User", username=uuid.uuid4().hex)
    stream = new("progress.Stream", owner=user)
    new("progress.Event", stream=stream, seq=1, kind="progress", data={"percent": 0})
    diagnosis = new("diagnosis.Diagnosis", owner=user, stream=stream, brand="山岚", planned=1, report={"a": [1]})
    new("diagnosis.Brand", diagnosis=diagnosis, name="山岚", aliases=["岚"], is_own=True)
    question = new("diagnosis.Question", diagnosis=diagnosis, position=1, text="哪个好？")
    platform, _made = (
        apps.get_model("diagnosis.Platform")
        .objects.using(ALIAS)
        .get_or_create(id="p", defaults={"name": "p", "model": "m"})
    )
    answer = {"diagnosis": diagnosis, "question": question, "platform": platform, "repeat": 1, "state": "valid"}
    new("diagnosis.Answer", **answer, text="山岚不错", mentions=[{"brand": "山岚"}])
    new("errors.ErrorEvent", code="SERVER_ERROR", fingerprint="f", outcome="shown", created_at=timezone.now())
    new("monitoring.Alert", title="t", severity="error", fingerprint=uuid.uuid4().hex, rule_name="r")


def read_rows(address: str) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the site's tables as {column: value}."""
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ours = [name for (name,) in tables if name.startswith(("diagnosis_", "diagsite_", "progress_", "errors_"))]
        ours += ["monitoring_alert"]
        return {
            name: [row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {name} t".encode()).fetchall()]
            for name in ours
        }


def list_migration_files(address: str) -> dict[str, int]:
    """Return the file of each big table, which a rewrite would change."""
    with psycopg.connect(address) as connection:
        rows = connection.execute("SELECT relname, relfilenode FROM pg_class WHERE relname = ANY(%s)", [BIG])
        return dict(rows.fetchall())


def test_migrations_keep_every_row_of_the_first_release_which_can_still_write(old: str) -> None:
    """During a rolling restart, old processes use migrated tables."""
    apps = first_models()
    write_as_the_first_release(apps)
    before, files = read_rows(old), list_migration_files(old)
    assert len(files) == len(BIG)
    migrate(latest())
    after = read_rows(old)
    lost = {
        table: row
        for table, rows in before.items()
        for row in rows
        if not any(_is_within(row, now) for now in after[table])
    }
    assert lost == {}
    assert sum(map(len, before.values())) >= 10
    assert list_migration_files(old) == files, "a big table was rewritten"
    write_as_the_first_release(apps)
    texts = apps.get_model("diagnosis.Answer").objects.using(ALIAS).values_list("text", flat=True)
    assert list(texts) == ["山岚不错"] * 2
    reports = apps.get_model("diagnosis.Diagnosis").objects.using(ALIAS).values_list("report", flat=True)
    assert list(reports) == [{"a": [1]}] * 2


def _is_within(row: dict[str, Any], now: dict[str, Any]) -> bool:
    return all(name in now and now[name] == value for name, value in row.items())


# Typical statements of the first release; one that waits for the timeout fails.
TRAFFIC = [
    "UPDATE diagnosis_diagnosis SET report = report || jsonb_build_object('n', coalesce((report->>'n')::int, 0) + 1)",
    "INSERT INTO progress_event (stream_id, seq, kind, data, created_at)"
    " SELECT stream_id, max(seq) + 1, 'progress', '{}', now() FROM progress_event GROUP BY stream_id",
    "UPDATE diagnosis_answer SET text = text || '。'",
    "SELECT * FROM diagnosis_diagnosis JOIN diagnosis_answer ON diagnosis_answer.diagnosis_id = diagnosis_diagnosis.id",
]


class Traffic(threading.Thread):
    """Reads and writes on its own connection until it is stopped or a statement fails."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address, self.over, self.rounds, self.error = address, threading.Event(), 0, ""

    def run(self) -> None:
        try:
            with psycopg.connect(self.address, autocommit=True, prepare_threshold=None) as connection:
                connection.execute("SET statement_timeout = '5s'")
                while not self.over.is_set():
                    for statement in TRAFFIC:
                        connection.execute(statement.encode())
                    self.rounds += 1
        except psycopg.Error as error:
            self.error = repr(error)


def test_traffic_continues_during_migrations(old: str) -> None:
    write_as_the_first_release(first_models())
    traffic = Traffic(old)
    traffic.start()
    wait_until(lambda: traffic.rounds > 3 or bool(traffic.error), "the traffic to flow")
    before = traffic.rounds
    migrate_until_done()
    wait_until(lambda: traffic.rounds > before + 3 or bool(traffic.error), "the traffic to go on")
    traffic.over.set()
    traffic.join()
    assert traffic.error == ""
    with psycopg.connect(old) as connection:
        written = connection.execute("SELECT (report->>'n')::int FROM diagnosis_diagnosis").fetchone()
        events = connection.execute("SELECT max(seq) - 1 FROM progress_event").fetchone()
    assert written == events == (traffic.rounds,)


def migrate_until_done() -> None:
    """Migrate, and repeat after a lock timeout, as operators repeat deploy/restart."""
    for _ in range(20):
        try:
            migrate(latest())
            break
        except OperationalError as error:
            assert "lock timeout" in str(error)
            connections[ALIAS].close()
    assert not MigrationExecutor(connections[ALIAS]).migration_plan(latest())


def test_migration_gives_up_instead_of_blocking_behind_a_long_reader(old: str) -> None:
    """A migration fails after lock_timeout, which deploy/restart sets, and can be repeated."""
    with psycopg.connect(old) as reader:
        reader.execute("SELECT count(*) FROM diagnosis_diagnosis")  # the transaction stays open
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(latest())
        with psycopg.connect(old) as visitor:
            visitor.execute("SET lock_timeout = '1s'")
            assert visitor.execute("SELECT count(*) FROM diagnosis_diagnosis").fetchone() == (0,)
    connections[ALIAS].close()
    migrate(latest())
    assert not MigrationExecutor(connections[ALIAS]).migration_plan(latest())


def read_schema(address: str, table: str) -> list[tuple[str, ...]]:
    """The columns, indexes and constraints of a table."""
    statements = [
        "SELECT column_name, data_type, is_nullable, coalesce(column_default, '') FROM information_schema.columns"
        " WHERE table_name = %s",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass",
    ]
    with psycopg.connect(address) as connection:
        return sorted(row for sql in statements for row in connection.execute(sql.encode(), [table]).fetchall())


def read_notification_types(address: str) -> list[tuple[int, str, list[str]]]:
    """The content types of notifications, with their permissions."""
    with psycopg.connect(address) as connection:
        return connection.execute(
            "SELECT t.id, t.model, array_agg(p.codename ORDER BY p.codename) FROM django_content_type t"
            " JOIN auth_permission p ON p.content_type_id = t.id"
            " WHERE t.app_label = 'diagsite' AND t.model IN ('notice', 'notification') GROUP BY t.id"
        ).fetchall()


def test_renaming_notice_to_notification_changes_no_table(old: str) -> None:
    call_command("migrate", "diagsite", "0004_roles", database=ALIAS, verbosity=0)
    schema = read_schema(old, "diagsite_notice")
    ((type_id, model, codenames),) = read_notification_types(old)
    assert (model, codenames) == ("notice", ["add_notice", "change_notice", "delete_notice", "view_notice"])

    call_command("migrate", "diagsite", "0005_rename_notice_notification", database=ALIAS, verbosity=0)

    assert len(schema) > 15
    assert read_schema(old, "diagsite_notice") == schema
    renamed = [name.replace("notice", "notification") for name in codenames]
    assert read_notification_types(old) == [(type_id, "notification", renamed)]
    with psycopg.connect(old) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'diagsite_noti%'").fetchall()
    assert tables == [("diagsite_notice",)]

    call_command("migrate", "diagsite", "0004_roles", database=ALIAS, verbosity=0)
    assert read_schema(old, "diagsite_notice") == schema
    assert read_notification_types(old) == [(type_id, "notice", codenames)]
