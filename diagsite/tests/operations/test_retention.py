"""Retention: each table loses the rows that are past their days, in batches, and no others."""

import os
import subprocess
import sys
import uuid
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app

from diagnosis.running.queue import enqueue_run
from diagsite import tasks
from diagsite.models import RevokedToken
from diagsite.operations import retention
from diagsite.operations.retention import RETENTION_BY_MODEL, RETENTION_RULES, prune_expired_rows
from errors.models import ErrorCount, ErrorEvent
from monitoring.models import Alert, Process, Sample
from progress.models import Event, PushProcess, Stream
from testing.data.samples import make_process, make_series, write_values
from testing.site import PROJECT_ROOT

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def _create_expired_tokens(count: int, days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    RevokedToken.objects.bulk_create(RevokedToken(token_id=uuid.uuid4(), expires_at=at) for _ in range(count))


def _create_error_event(days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    ErrorEvent.objects.create(code="SERVER_ERROR", fingerprint="f", outcome="shown", created_at=at)


def _create_error_count(days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    ErrorCount.objects.create(code="SERVER_ERROR", fingerprint="f", outcome="shown", hour=at, count=1)


def test_expired_rows_are_deleted_in_batches_and_newer_rows_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PRUNE_BATCH_SIZE", 10)
    _create_expired_tokens(35, days=3)
    _create_expired_tokens(4, days=0.5)
    assert prune_expired_rows(["tokens"]) == {"tokens": 35}
    assert RevokedToken.objects.count() == 4


def test_dry_run_deletes_nothing_and_counts_what_apply_deletes(capsys: pytest.CaptureFixture[str]) -> None:
    _create_expired_tokens(3, days=3)
    _create_error_event(days=31)
    Session.objects.create(session_key="old", expire_date=timezone.now() - timedelta(days=9))
    PushProcess.objects.create(name="old", started_at=NOW, seen_at=timezone.now() - timedelta(days=9))
    Alert.objects.create(title="old", severity="info", fingerprint="a", resolved_at=NOW - timedelta(days=400))
    Alert.objects.create(title="open", severity="info", fingerprint="b", fired_at=NOW - timedelta(days=400))
    call_command("prune")
    dry_run_output = capsys.readouterr().out
    assert (RevokedToken.objects.count(), ErrorEvent.objects.count()) == (3, 1)
    call_command("prune", "--apply")
    output = capsys.readouterr().out
    assert dry_run_output.replace("to delete", "deleted").splitlines()[:-1] == output.splitlines()
    assert [alert.title for alert in Alert.objects.all()] == ["open"]
    assert prune_expired_rows() == {rule.name: 0 for rule in RETENTION_RULES}


def test_events_of_old_streams_are_deleted_and_their_epoch_changes() -> None:
    stream = Stream.objects.create(is_closed=True, closed_at=timezone.now() - timedelta(days=40), last_seq=1)
    Event.objects.create(stream=stream, seq=1, kind="complete", data={})
    epoch = stream.epoch
    assert prune_expired_rows(["streams"]) == {"streams": 1}
    stream.refresh_from_db()
    assert (stream.events.count(), stream.last_seq, stream.epoch == epoch) == (0, 0, False)


def test_finished_jobs_are_deleted_and_waiting_jobs_kept() -> None:
    finished, waiting = enqueue_run(uuid.uuid4()), enqueue_run(uuid.uuid4())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", [finished])
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '8 days'")
        # No flush empties procrastinate's tables, so jobs of other tests may be deleted as well.
        assert prune_expired_rows(["jobs"])["jobs"] >= 1
        cursor.execute("SELECT id FROM procrastinate_jobs WHERE id = ANY(%s)", [[finished, waiting]])
        assert cursor.fetchall() == [(waiting,)]


def test_error_counts_are_kept_ten_times_as_long_as_events() -> None:
    for days in (1, 31):
        _create_error_event(days)
    for days in (31, 299, 301):
        _create_error_count(days)
    assert prune_expired_rows(["errors"]) == {"errors": 1}
    assert (ErrorEvent.objects.count(), ErrorCount.objects.count()) == (1, 2)


def test_samples_are_deleted_in_batches_and_then_processes_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PRUNE_BATCH_SIZE", 1)
    series = make_series("jobs_running", {})
    ended = make_process(NOW - timedelta(days=60), NOW - timedelta(days=40))
    running = make_process(NOW - timedelta(days=60), NOW)
    write_values(
        [
            (ended, series, NOW - timedelta(days=40), 1.0),
            (running, series, NOW - timedelta(days=9), 2.0),
            (running, series, NOW - timedelta(days=7), 3.0),
        ]
    )
    assert prune_expired_rows(["samples"]) == {"samples": 2}
    assert [sample.value for sample in Sample.objects.all()] == [3.0]
    assert list(Process.objects.filter(pk__in=[ended.pk, running.pk])) == [running]


def test_kept_days_override_the_default_and_zero_keeps_rows_forever(settings: Any) -> None:
    _create_expired_tokens(1, days=3)
    settings.KEPT_DAYS = {"tokens": 0}
    assert "tokens" not in prune_expired_rows()
    settings.KEPT_DAYS = {"tokens": 5}
    assert prune_expired_rows(["tokens"]) == {"tokens": 0}
    settings.KEPT_DAYS = {"tokens": 2}
    assert prune_expired_rows(["tokens"]) == {"tokens": 1}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ERRORS_KEPT_DAYS": "60", "KEPT_DAYS": "errors=30"}, "ERRORS_KEPT_DAYS is 60, but KEPT_DAYS has errors=30"),
        ({"SAMPLES_KEPT_DAYS": "8", "KEPT_DAYS": "samples=0"}, "SAMPLES_KEPT_DAYS is 8, but KEPT_DAYS has samples=0"),
        ({"ERRORS_KEPT_DAYS": "60", "KEPT_DAYS": "errors=60"}, ""),
        ({"KEPT_DAYS": "errors=60,samples=3"}, ""),
    ],
)
def test_contradicting_settings_are_refused(variables: dict[str, str], message: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "import diagsite.settings"],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert bool(process.returncode) == bool(message)
    assert message in process.stderr


def test_one_nightly_job_prunes_every_table() -> None:
    crons = {job.task.name: (job.cron, job.task.queue) for job in app.periodic_registry.periodic_tasks.values()}
    assert crons["diagsite.prune"] == ("43 3 * * *", "maintenance")
    assert [name for name in crons if "prune" in name] == ["diagsite.prune"]


@pytest.mark.django_db(transaction=True)
def test_nightly_job_deletes_expired_rows() -> None:
    _create_error_event(days=31)
    _create_expired_tokens(1, days=3)
    async_to_sync(tasks.prune_tables.func)(0)
    assert not ErrorEvent.objects.exists()
    assert not RevokedToken.objects.exists()


def test_every_model_has_a_retention_rule_or_a_reason_to_be_kept() -> None:
    models = {model._meta.label for model in apps.get_models() if not model._meta.proxy}
    assert models - RETENTION_BY_MODEL.keys() == set()
    assert RETENTION_BY_MODEL.keys() - models == set()
    names = {rule.name for rule in RETENTION_RULES}
    assert {kept for kept in RETENTION_BY_MODEL.values() if not kept.startswith("forever: ")} == names
