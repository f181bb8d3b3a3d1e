"""Each table forgets what it has kept long enough, in batches, and nothing else."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from diagnosis.running.queue import enqueue_run
from diagsite.models import RevokedToken
from diagsite.operations import retention
from diagsite.operations.retention import RETENTION_BY_MODEL, RETENTION_RULES, prune_expired_rows
from monitoring.models import Alert
from progress.models import Event, PushProcess, Stream

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def _expired(count: int, days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    RevokedToken.objects.bulk_create(RevokedToken(token_id=uuid.uuid4(), expires_at=at) for _ in range(count))


def test_old_rows_go_and_young_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PRUNE_BATCH_SIZE", 10)
    _expired(35, days=3)
    _expired(4, days=0.5)
    assert prune_expired_rows(["tokens"]) == {"tokens": 35}
    assert RevokedToken.objects.count() == 4


def test_what_the_dry_run_counts_is_what_is_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    _expired(3, days=3)
    Session.objects.create(session_key="old", expire_date=timezone.now() - timedelta(days=9))
    PushProcess.objects.create(name="old", started_at=NOW, seen_at=timezone.now() - timedelta(days=9))
    Alert.objects.create(title="old", severity="info", fingerprint="a", resolved_at=NOW - timedelta(days=400))
    Alert.objects.create(title="open", severity="info", fingerprint="b", fired_at=NOW - timedelta(days=400))
    call_command("prune")
    counted = capsys.readouterr().out
    assert RevokedToken.objects.count() == 3
    call_command("prune", "--apply")
    deleted = capsys.readouterr().out
    assert counted.replace("to delete", "deleted").splitlines()[:-1] == deleted.splitlines()
    assert [alert.title for alert in Alert.objects.all()] == ["open"]
    assert prune_expired_rows() == {one.name: 0 for one in RETENTION_RULES}


def test_events_of_old_streams_go_and_their_followers_are_told_by_a_new_epoch() -> None:
    old = Stream.objects.create(is_closed=True, closed_at=timezone.now() - timedelta(days=40), last_seq=1)
    Event.objects.create(stream=old, seq=1, kind="complete", data={})
    epoch = old.epoch
    assert prune_expired_rows(["streams"]) == {"streams": 1}
    old.refresh_from_db()
    assert (old.events.count(), old.last_seq, old.epoch == epoch) == (0, 0, False)


def test_ended_jobs_go_and_waiting_ones_stay() -> None:
    ended, waiting = enqueue_run(uuid.uuid4()), enqueue_run(uuid.uuid4())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", [ended])
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '8 days'")
        assert (
            prune_expired_rows(["jobs"])["jobs"] >= 1
        )  # no flush empties the engine's table, so other tests' may go as well
        cursor.execute("SELECT id FROM procrastinate_jobs WHERE id = ANY(%s)", [[ended, waiting]])
        assert cursor.fetchall() == [(waiting,)]


def test_the_setting_wins_and_nought_is_for_ever(settings: Any) -> None:
    _expired(1, days=3)
    settings.KEPT_DAYS = {"tokens": 0}
    assert "tokens" not in prune_expired_rows()
    settings.KEPT_DAYS = {"tokens": 5}
    assert prune_expired_rows(["tokens"]) == {"tokens": 0}
    settings.KEPT_DAYS = {"tokens": 2}
    assert prune_expired_rows(["tokens"]) == {"tokens": 1}


def test_every_table_is_pruned_or_says_why_it_stays() -> None:
    """A new model needs a line in RETENTION_BY_MODEL: what prunes it, or `for ever: ` and why."""
    models = {model._meta.label for model in apps.get_models() if not model._meta.proxy}
    assert models - RETENTION_BY_MODEL.keys() == set()
    assert RETENTION_BY_MODEL.keys() - models == set()
    names = {one.name for one in RETENTION_RULES}
    assert {kept for kept in RETENTION_BY_MODEL.values() if not kept.startswith("for ever: ")} == names
