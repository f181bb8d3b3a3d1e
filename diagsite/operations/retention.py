"""How long each table keeps its rows, and how what is older goes: some thousand at a time, so that nobody waits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.models import RepairChange, ShareLink
from diagsite.models import Notice, RevokedToken
from errors.models import ErrorEvent
from errors.recording import prune_errors
from monitoring.models import Alert, Delivery
from monitoring.samples.retention import count_prunable, prune_samples
from progress.models import PushProcess, Stream
from progress.services import prune_streams

PRUNE_BATCH_SIZE = 2000
PRUNE_LOCK_TIMEOUT_SECONDS = 2

CountFunction = Callable[[datetime], int]
PruneFunction = Callable[[datetime], int]


@dataclass(frozen=True)
class RetentionRule:
    """What one table keeps. days: by default, 0 for ever; `RETENTION_DAYS` sets others."""

    name: str
    description: str
    days: float
    count: CountFunction
    prune: PruneFunction

    @property
    def retention_days(self) -> float:
        """As the settings say."""
        return float(settings.KEPT_DAYS.get(self.name, self.days))

    def get_cutoff(self, now: datetime | None = None) -> datetime | None:
        """What is older goes; None when everything stays."""
        return (now or timezone.now()) - timedelta(days=self.retention_days) if self.retention_days > 0 else None


def _build_row_rule(
    name: str, description: str, days: float, select_older: Callable[[datetime], QuerySet[Any]]
) -> RetentionRule:
    """A table whose old rows are simply deleted, with what hangs on them."""

    def prune(before: datetime) -> int:
        pruned = 0
        while True:
            with transaction.atomic(), connection.cursor() as cursor:
                # Rows that somebody holds are for the next night.
                cursor.execute(f"SET LOCAL lock_timeout = '{PRUNE_LOCK_TIMEOUT_SECONDS}s'")
                batch = (
                    select_older(before)
                    .order_by("pk")
                    .select_for_update(skip_locked=True, of=("self",))[:PRUNE_BATCH_SIZE]
                )
                keys = list(batch.values_list("pk", flat=True))
                select_older(before).filter(pk__in=keys).delete()
            pruned += len(keys)
            if len(keys) < PRUNE_BATCH_SIZE:
                return pruned

    return RetentionRule(name, description, days, lambda before: select_older(before).count(), prune)


_OLD_JOBS_SQL = """
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
        AND coalesce((SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id), '-infinity') < %s
"""


def _count_old_jobs(cutoff: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({_OLD_JOBS_SQL}) AS old", [cutoff])
        return int(cursor.fetchone()[0])


def _prune_old_jobs(cutoff: datetime) -> int:
    """The engine deletes what succeeded by itself; what failed it keeps, and nobody reads it after some days."""
    pruned = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM procrastinate_jobs WHERE id IN ({_OLD_JOBS_SQL} LIMIT {PRUNE_BATCH_SIZE})", [cutoff]
            )
            deleted = int(cursor.rowcount)
        pruned += deleted
        if deleted < PRUNE_BATCH_SIZE:
            return pruned


def _prune_old_streams(cutoff: datetime) -> int:
    pruned = 0
    while batch := prune_streams(cutoff, PRUNE_BATCH_SIZE):
        pruned += batch
    return pruned


def _get_age(cutoff: datetime) -> timedelta:
    return timezone.now() - cutoff


def _count_old_streams(cutoff: datetime) -> int:
    return Stream.objects.filter(is_closed=True, closed_at__lt=cutoff, last_seq__gt=0).count()


_FINAL_NOTICE_STATES = [Notice.State.SENT, Notice.State.SEEN, Notice.State.GIVEN_UP, Notice.State.ON_PAGE]

RETENTION_RULES = [
    RetentionRule(
        "streams", "progress events of diagnoses that have ended", 30, _count_old_streams, _prune_old_streams
    ),
    RetentionRule(
        "errors",
        "error events (their counts stay ten times as long)",
        settings.ERRORS_KEPT_DAYS,
        lambda before: ErrorEvent.objects.filter(created_at__lt=before).count(),
        lambda before: prune_errors(older_than=_get_age(before)),
    ),
    RetentionRule(
        "samples",
        "measured samples",
        settings.SAMPLES_KEPT_DAYS,
        lambda before: count_prunable(older_than=_get_age(before)).samples,
        lambda before: prune_samples(older_than=_get_age(before)).samples,
    ),
    RetentionRule("jobs", "jobs that have ended, with their events", 7, _count_old_jobs, _prune_old_jobs),
    _build_row_rule(
        "deliveries",
        "messages of alerts that were sent or given up",
        90,
        lambda before: Delivery.objects.filter(created_at__lt=before).exclude(state=Delivery.State.WAITING),
    ),
    _build_row_rule(
        "alerts", "alerts that were resolved", 365, lambda before: Alert.objects.filter(resolved_at__lt=before)
    ),
    _build_row_rule(
        "notices",
        "messages to users that were sent or given up",
        90,
        lambda before: Notice.objects.filter(due_at__lt=before, state__in=_FINAL_NOTICE_STATES),
    ),
    _build_row_rule(
        "sessions", "browser sessions, after they expired", 1, lambda b: Session.objects.filter(expire_date__lt=b)
    ),
    _build_row_rule(
        "tokens", "revoked tokens, after they expired", 1, lambda b: RevokedToken.objects.filter(expires_at__lt=b)
    ),
    _build_row_rule(
        "shares", "links to reports, after they expired", 30, lambda b: ShareLink.objects.filter(expires_at__lt=b)
    ),
    _build_row_rule(
        "sign_ins",
        "failed sign-ins with a password",
        1,
        lambda before: AccessAttempt.objects.filter(attempt_time__lt=before),
    ),
    _build_row_rule(
        "push", "what server processes said of themselves", 1, lambda b: PushProcess.objects.filter(seen_at__lt=b)
    ),
    _build_row_rule(
        "repairs",
        "the journal of repair_history: what it holds can be undone",
        365,
        lambda before: RepairChange.objects.filter(run__finished_at__lt=before),
    ),
    _build_row_rule(
        "actions", "what staff did in the admin", 730, lambda b: LogEntry.objects.filter(action_time__lt=b)
    ),
]

_KEEP_FOREVER = "for ever: "
# Every table, by model: the row above that prunes it, or why it stays. A new model needs its line (test_retention.py).
RETENTION_BY_MODEL = {
    "progress.Stream": f"{_KEEP_FOREVER}a row a diagnosis; its events go",
    "progress.Event": "streams",
    "progress.PushProcess": "push",
    "errors.ErrorEvent": "errors",
    "errors.ErrorCount": "errors",
    "monitoring.Sample": "samples",
    "monitoring.Series": "samples",
    "monitoring.Process": "samples",
    "monitoring.Delivery": "deliveries",
    "monitoring.Alert": "alerts",
    "monitoring.AlertNote": "alerts",
    "procrastinate.ProcrastinateJob": "jobs",
    "procrastinate.ProcrastinateEvent": "jobs",
    "procrastinate.ProcrastinateWorker": f"{_KEEP_FOREVER}the engine deletes its own",
    "procrastinate.ProcrastinatePeriodicDefer": f"{_KEEP_FOREVER}the engine deletes its own",
    "diagsite.Notice": "notices",
    "diagsite.RevokedToken": "tokens",
    "diagnosis.ShareLink": "shares",
    "sessions.Session": "sessions",
    "axes.AccessAttempt": "sign_ins",
    "axes.AccessAttemptExpiration": "sign_ins",
    "axes.AccessFailureLog": f"{_KEEP_FOREVER}switched off",
    "axes.AccessLog": f"{_KEEP_FOREVER}switched off",
    "diagnosis.RepairChange": "repairs",
    "diagnosis.RepairRun": f"{_KEEP_FOREVER}a row a repair",
    "admin.LogEntry": "actions",
    **dict.fromkeys(
        [
            f"diagnosis.{name}"
            for name in ("Diagnosis", "Brand", "Question", "Answer", "Correction", "LegacyRecord", "Schedule")
        ],
        f"{_KEEP_FOREVER}the user's own, until they ask to be forgotten",
    ),
    "diagsite.User": f"{_KEEP_FOREVER}until they ask to be forgotten",
    **dict.fromkeys(
        ["errors.ErrorCopy", "errors.CopyRevision", "errors.CopyOverride", "errors.CatalogueVersion"]
        + [f"monitoring.{name}" for name in ("Rule", "SeededRule", "RuleState", "Channel", "Silence", "Heartbeat")]
        + ["diagnosis.Platform", "diagsite.Role", "auth.Group", "auth.Permission", "contenttypes.ContentType"],
        f"{_KEEP_FOREVER}grows by hand",
    ),
}


def prune_expired_rows(names: list[str] | None = None) -> dict[str, int]:
    """Prune the named tables, or all; {name: how many rows are gone}."""
    pruned = {}
    for rule in RETENTION_RULES:
        cutoff = rule.get_cutoff()
        if cutoff is not None and (not names or rule.name in names):
            pruned[rule.name] = rule.prune(cutoff)
    return pruned
