"""Delete all data of a user, and verify that no table contains any of their identifiers afterwards."""

import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from diagnosis.api.cache import delete_cached_statistics
from diagnosis.choices import BudgetScope
from diagnosis.models import (
    BudgetUse,
    Diagnosis,
    DiagnosisQuerySet,
    LegacyRecord,
    RepairChange,
    Schedule,
    ShareLink,
    Workspace,
)
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.reports.cache import delete_cached_reports, find_cached_reports, get_report_cache_tag
from diagsite.accounts.handover import (
    find_solely_owned_workspaces,
    find_workspaces_of_others,
    hand_over_workspaces,
)
from diagsite.models import User
from errors.models import ErrorEvent
from errors.redaction import MASK
from performance.cache import invalidate_tags
from progress.models import Stream

DELETED_USERNAME = "deleted-account"  # replaces deleted staff as the author of admin log entries
MIN_SUBSTRING_LENGTH = 8  # shorter identifiers may be part of other texts, so they must match a whole value


@dataclass
class DeletionReport:
    """The deleted rows, {model: rows}, and the rows that still contain an identifier, {table: rows}."""

    deleted: Counter[str] = field(default_factory=Counter)
    remaining: dict[str, int] = field(default_factory=dict)


class _DryRunRollback(Exception):
    pass


def delete_user_data(user: User, *, apply: bool = True, verify: bool = True) -> DeletionReport:
    """Delete the account with all its data, and remove the user's name from actions of staff.

    apply: if false, everything is rolled back, and the report says what would be deleted.
    verify: search all tables for the user's identifiers afterwards, which reads every row once.
    """
    report = DeletionReport()
    user_id = user.pk
    if apply:  # stops the workers that run one
        for diagnosis in _find_deleted_diagnoses(user).unfinished():
            cancel_diagnosis(diagnosis)
    try:
        with transaction.atomic():
            hand_over_workspaces(user)
            diagnoses = list(_find_deleted_diagnoses(user).values_list("pk", flat=True))
            identifiers = collect_identifiers(user)
            _delete_rows_of_user(user, report.deleted)
            report.remaining = count_rows_containing(identifiers) if verify else {}
            if not apply:
                raise _DryRunRollback
    except _DryRunRollback:
        return report
    _delete_from_cache(user_id, diagnoses)
    if cached := sum(len(find_cached_reports(pk)) for pk in diagnoses):
        report.remaining["cache"] = cached
    return report


def _delete_from_cache(user_id: int, diagnoses: list[uuid.UUID]) -> None:
    delete_cached_statistics(user_id)
    for pk in diagnoses:
        delete_cached_reports(pk)


def collect_identifiers(user: User) -> list[str]:
    """Return the texts that identify the user in a row: names, openid, device id, and the ids of their data."""
    names = [user.username, user.email, user.wechat_openid, user.device_id, user.get_full_name()]
    workspaces = find_solely_owned_workspaces(user.pk)
    ids = [*_find_deleted_diagnoses(user).values_list("pk", flat=True), *workspaces, *_get_stream_ids(user)]
    return [text for text in names if text] + [str(pk) for pk in [user.public_id, *ids]]


def _find_deleted_diagnoses(user: User) -> DiagnosisQuerySet:
    """Return the diagnoses that go with the account: those of its workspaces, and its own in no workspace of others.

    The others are handed over to an owner of their workspace.
    """
    own = Q(owner=user) & (Q(workspace=None) | ~Q(workspace__in=find_workspaces_of_others(user.pk)))
    return Diagnosis.objects.filter(Q(workspace__in=find_solely_owned_workspaces(user.pk)) | own)


def _get_stream_ids(user: User) -> list[Any]:
    of_diagnoses = _find_deleted_diagnoses(user).values_list("stream_id", flat=True)
    return list(Stream.objects.filter(Q(owner=user) | Q(pk__in=list(of_diagnoses))).values_list("pk", flat=True))


def _delete_rows_of_user(user: User, deleted: Counter[str]) -> None:
    diagnoses = list(_find_deleted_diagnoses(user).values_list("pk", flat=True))
    workspaces = find_solely_owned_workspaces(user.pk)
    streams = _get_stream_ids(user)
    _delete(BudgetUse.objects.filter(scope=BudgetScope.ACCOUNT, key=str(user.pk)), deleted)
    owned_schedules = Schedule.objects.filter(Q(owner_id=user.pk) | Q(workspace__in=workspaces))
    schedules = [str(pk) for pk in owned_schedules.values_list("pk", flat=True)]
    _delete(BudgetUse.objects.filter(scope=BudgetScope.SCHEDULE, key__in=schedules), deleted)
    own_budgets = BudgetUse.objects.filter(scope=BudgetScope.WORKSPACE, key__in=[str(pk) for pk in workspaces])
    _delete(own_budgets, deleted)
    _delete(AccessAttempt.objects.filter(username=user.username), deleted)
    sessions = Session.objects.iterator(chunk_size=500)
    session_keys = [row.pk for row in sessions if row.get_decoded().get("_auth_user_id") == str(user.pk)]
    _delete(Session.objects.filter(pk__in=session_keys), deleted)
    delete_diagnosis_rows(diagnoses, streams, deleted)
    _delete(Workspace.objects.filter(pk__in=workspaces), deleted)
    _redact_references(user)
    ShareLink.objects.filter(created_by=user, revoked_at=None).update(revoked_at=timezone.now())
    _delete(User.objects.filter(pk=user.pk), deleted)


def delete_diagnosis_rows(diagnoses: list[uuid.UUID], streams: list[uuid.UUID], deleted: Counter[str]) -> None:
    """Delete diagnoses and streams with everything that is stored about them."""
    for pk in diagnoses:
        invalidate_tags(get_report_cache_tag(pk))
    _delete(ErrorEvent.objects.filter(diagnosis_id__in=diagnoses), deleted)
    _delete(LegacyRecord.objects.filter(diagnosis__in=diagnoses), deleted)
    journal = f"DELETE FROM {RepairChange._meta.db_table} t WHERE (t.*)::text LIKE ANY(%s)"
    _execute_delete(journal, [f"%{pk}%" for pk in [*diagnoses, *streams]], RepairChange._meta.label, deleted)
    jobs = "DELETE FROM procrastinate_jobs WHERE args->>'diagnosis_id' = ANY(%s)"
    _execute_delete(jobs, [str(pk) for pk in diagnoses], "procrastinate.ProcrastinateJob", deleted)
    # Streams cannot be deleted before their diagnoses, and the account owns both.
    _delete(Diagnosis.objects.filter(pk__in=diagnoses), deleted)
    _delete(Stream.objects.filter(pk__in=streams), deleted)
    _redact_log_entries(Diagnosis, [str(pk) for pk in diagnoses])


def _delete(rows: QuerySet[Any], deleted: Counter[str]) -> None:
    deleted.update({label: count for label, count in rows.delete()[1].items() if count})


def _execute_delete(statement: str, parameter: list[str], label: str, deleted: Counter[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])
        if cursor.rowcount:
            deleted[label] += cursor.rowcount


def _redact_log_entries(model: type[Model], ids: list[str]) -> None:
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model), object_id__in=ids)
    entries.update(object_id="", object_repr=MASK, change_message="")


def _redact_references(user: User) -> None:
    _redact_log_entries(User, [str(user.pk)])
    entries_by_user = LogEntry.objects.filter(user=user)
    if entries_by_user.exists():
        placeholder_user, _is_new = User.objects.get_or_create(username=DELETED_USERNAME, defaults={"is_active": False})
        entries_by_user.update(user=placeholder_user)
    # SQL, because the model refuses changes of revisions.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE errors_copyrevision SET author_name = '' WHERE author_id = %s", [user.pk])


_LIST_TABLES_SQL = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind IN ('r', 'm') AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def count_rows_containing(identifiers: list[str]) -> dict[str, int]:
    """Return {table: rows} of the rows of all tables that contain one of the texts. Reads every row once."""
    long = [text for text in identifiers if len(text) >= MIN_SUBSTRING_LENGTH]
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", text) + "%" for text in long]
    short = [text for text in identifiers if len(text) < MIN_SUBSTRING_LENGTH]
    counts = {}
    with connection.cursor() as cursor:
        cursor.execute(_LIST_TABLES_SQL)
        for (table,) in cursor.fetchall():
            # The whole row as text, so that columns added later are included; `t.*`, because a column may be named `t`.
            cursor.execute(
                f"SELECT count(*) FROM {table} t WHERE (t.*)::text LIKE ANY(%s) OR EXISTS ("
                "SELECT 1 FROM jsonb_each_text(to_jsonb(t.*)) AS field WHERE field.value = ANY(%s))",
                [patterns, short],
            )
            if count := cursor.fetchone()[0]:
                counts[table] = count
    return counts
