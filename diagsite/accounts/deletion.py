"""Delete all of a user's data, on their request, and prove it: no table holds any of their identifiers any more."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import QuerySet

from diagnosis.models import Diagnosis, LegacyRecord, RepairChange
from diagnosis.orders.services import cancel_diagnosis
from diagnosis.reports.cache import get_report_cache_tag
from diagsite.models import User
from errors.audit import SECRET_MASK
from errors.models import ErrorEvent
from performance.cache import invalidate_tags
from progress.models import Stream

DELETED_USERNAME = "deleted-account"  # whoever an entry of the admin's log was by
MIN_SUBSTRING_LENGTH = 8  # a shorter text stands in other people's texts by chance: it is looked for as a whole value


@dataclass
class DeletionReport:
    """What was deleted, {model: rows}, and where an identifier was still found, {table: rows}: none, if all is well."""

    deleted: Counter[str] = field(default_factory=Counter)
    remaining: dict[str, int] = field(default_factory=dict)


class _DryRunRollback(Exception):
    """Takes everything back."""


def delete_user_data(user: User, *, apply: bool = True, verify: bool = True) -> DeletionReport:
    """Delete the account and everything that is its own; of what staff did, who did it.

    applies: else it is done and taken back, so the counts are those of the real thing. proves: look through every table
    for what is left, which reads every row once.
    """
    report = DeletionReport()
    if apply:  # whoever works on one hears of it first
        for diagnosis in Diagnosis.objects.filter(owner=user).unfinished():
            cancel_diagnosis(diagnosis)
    try:
        with transaction.atomic():
            identifiers = collect_identifiers(user)
            _delete_rows_of_user(user, report.deleted)
            report.remaining = count_rows_containing(identifiers) if verify else {}
            if not apply:
                raise _DryRunRollback
    except _DryRunRollback:
        pass
    return report


def collect_identifiers(user: User) -> list[str]:
    """What a row could be told to be theirs by: names, openid, device, and the ids of what they have."""
    names = [user.username, user.email, user.wechat_openid, user.device_id, user.get_full_name()]
    ids = [*Diagnosis.objects.filter(owner=user).values_list("pk", flat=True), *_get_stream_ids(user)]
    return [text for text in names if text] + [str(one) for one in ids]


def _get_stream_ids(user: User) -> list[Any]:
    return list(Stream.objects.filter(owner=user).values_list("pk", flat=True))


def _delete_rows_of_user(user: User, deleted: Counter[str]) -> None:
    diagnoses = list(Diagnosis.objects.filter(owner=user).values_list("pk", flat=True))
    streams = _get_stream_ids(user)
    keys = [str(pk) for pk in diagnoses]
    for pk in diagnoses:
        invalidate_tags(get_report_cache_tag(pk))  # nor does the cache serve it
    _delete(ErrorEvent.objects.filter(diagnosis_id__in=diagnoses), deleted)
    _delete(LegacyRecord.objects.filter(diagnosis__in=diagnoses), deleted)
    _delete(AccessAttempt.objects.filter(username=user.username), deleted)
    _delete(Session.objects.filter(pk__in=_find_session_keys(user)), deleted)
    _delete_repair_journal([*keys, *map(str, streams)], deleted)
    _delete_jobs(keys, deleted)
    # Before the streams, which they protect, and the account, which owns both.
    _delete(Diagnosis.objects.filter(pk__in=diagnoses), deleted)
    _delete(Stream.objects.filter(pk__in=streams), deleted)
    _redact_references(user, keys)
    _delete(User.objects.filter(pk=user.pk), deleted)


def _delete(rows: QuerySet[Any], deleted: Counter[str]) -> None:
    deleted.update({label: count for label, count in rows.delete()[1].items() if count})


def _find_session_keys(user: User) -> list[str]:
    sessions = Session.objects.iterator(chunk_size=500)
    return [one.pk for one in sessions if one.get_decoded().get("_auth_user_id") == str(user.pk)]


def _delete_repair_journal(ids: list[str], deleted: Counter[str]) -> None:
    """What repairs changed of it, before and after."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {RepairChange._meta.db_table} t WHERE t::text LIKE ANY(%s)", [[f"%{one}%" for one in ids]]
        )
        if cursor.rowcount:
            deleted[RepairChange._meta.label] += cursor.rowcount


def _delete_jobs(diagnoses: list[str], deleted: Counter[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE args->>'diagnosis_id' = ANY(%s)", [diagnoses])
        if cursor.rowcount:
            deleted["procrastinate.ProcrastinateJob"] += cursor.rowcount


def _redact_references(user: User, diagnoses: list[str]) -> None:
    """What stays is about others, or about the site: it no longer says who."""
    user_type, diagnosis_type = (ContentType.objects.get_for_model(model) for model in (User, Diagnosis))
    entries_about_user = LogEntry.objects.filter(content_type=user_type, object_id=str(user.pk))
    entries_about_user |= LogEntry.objects.filter(content_type=diagnosis_type, object_id__in=diagnoses)
    entries_about_user.update(object_id="", object_repr=SECRET_MASK, change_message="")
    entries_by_user = LogEntry.objects.filter(user=user)
    if entries_by_user.exists():
        placeholder_user, _made = User.objects.get_or_create(username=DELETED_USERNAME, defaults={"is_active": False})
        entries_by_user.update(user=placeholder_user)
    # Revisions are never changed by the model's own rule; whoever published one may ask all the same.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE errors_copyrevision SET author_name = '' WHERE author_id = %s", [user.pk])


_LIST_TABLES_SQL = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind IN ('r', 'm') AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def count_rows_containing(identifiers: list[str]) -> dict[str, int]:
    """{table: rows} of all tables in which one of the texts stands, in whichever column. Reads every row once."""
    long = [_build_like_pattern(text) for text in identifiers if len(text) >= MIN_SUBSTRING_LENGTH]
    short = [text for text in identifiers if len(text) < MIN_SUBSTRING_LENGTH]
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_LIST_TABLES_SQL)
        for (table,) in cursor.fetchall():
            # What is compared is the whole row as text: a column that is added tomorrow is looked at too.
            cursor.execute(
                f"SELECT count(*) FROM {table} t WHERE t::text LIKE ANY(%s) OR EXISTS ("
                "SELECT 1 FROM jsonb_each_text(to_jsonb(t)) AS one WHERE one.value = ANY(%s))",
                [long, short],
            )
            if count := cursor.fetchone()[0]:
                found[table] = count
    return found


def _build_like_pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
