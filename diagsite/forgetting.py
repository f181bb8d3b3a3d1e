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

from diagnosis.cached import report_version
from diagnosis.history.models import LegacyRecord, RepairChange
from diagnosis.models import Diagnosis
from diagnosis.orders import cancel_diagnosis
from diagsite.models import User
from errors.audit import MASK
from errors.models import ErrorEvent
from performance.cache import touch
from progress.models import Stream

DELETED = "deleted-account"  # whoever an entry of the admin's log was by
SHORTEST = 8  # a shorter text stands in other people's texts by chance: it is looked for as a whole value


@dataclass
class Forgotten:
    """What was deleted, {model: rows}, and where an identifier was still found, {table: rows}: none, if all is well."""

    deleted: Counter[str] = field(default_factory=Counter)
    left: dict[str, int] = field(default_factory=dict)


class _OnlyLooked(Exception):
    """Takes everything back."""


def find_user(name: str) -> User:
    """By number, name, openid or device. Raises User.DoesNotExist."""
    for column in ("username", "wechat_openid", "device_id"):
        if found := User.objects.filter(**{column: name}).first():
            return found
    return User.objects.get(pk=int(name) if name.isdecimal() and len(name) < 18 else 0)


def forget_account(user: User, *, applies: bool = True, proves: bool = True) -> Forgotten:
    """Delete the account and everything that is its own; of what staff did, who did it.

    applies: else it is done and taken back, so the counts are those of the real thing. proves: look through every table
    for what is left, which reads every row once.
    """
    forgotten = Forgotten()
    if applies:  # whoever works on one hears of it first
        for diagnosis in Diagnosis.objects.filter(owner=user).unfinished():
            cancel_diagnosis(diagnosis)
    try:
        with transaction.atomic():
            identifiers = identifiers_of(user)
            _delete_everything(user, forgotten.deleted)
            forgotten.left = rows_with(identifiers) if proves else {}
            if not applies:
                raise _OnlyLooked
    except _OnlyLooked:
        pass
    return forgotten


def identifiers_of(user: User) -> list[str]:
    """What a row could be told to be theirs by: names, openid, device, and the ids of what they have."""
    own = [user.username, user.email, user.wechat_openid, user.device_id, user.get_full_name()]
    ids = [*Diagnosis.objects.filter(owner=user).values_list("pk", flat=True), *_streams_of(user)]
    return [text for text in own if text] + [str(one) for one in ids]


def _streams_of(user: User) -> list[Any]:
    return list(Stream.objects.filter(owner=user).values_list("pk", flat=True))


def _delete_everything(user: User, deleted: Counter[str]) -> None:
    diagnoses = list(Diagnosis.objects.filter(owner=user).values_list("pk", flat=True))
    streams = _streams_of(user)
    keys = [str(pk) for pk in diagnoses]
    for pk in diagnoses:
        touch(report_version(pk))  # nor does the cache serve it
    _delete(ErrorEvent.objects.filter(diagnosis_id__in=diagnoses), deleted)
    _delete(LegacyRecord.objects.filter(diagnosis__in=diagnoses), deleted)
    _delete(AccessAttempt.objects.filter(username=user.username), deleted)
    _delete(Session.objects.filter(pk__in=_sessions_of(user)), deleted)
    _delete_journal([*keys, *map(str, streams)], deleted)
    _delete_jobs(keys, deleted)
    # Before the streams, which they protect, and the account, which owns both.
    _delete(Diagnosis.objects.filter(pk__in=diagnoses), deleted)
    _delete(Stream.objects.filter(pk__in=streams), deleted)
    _blacken(user, keys)
    _delete(User.objects.filter(pk=user.pk), deleted)


def _delete(rows: QuerySet[Any], deleted: Counter[str]) -> None:
    deleted.update({label: count for label, count in rows.delete()[1].items() if count})


def _sessions_of(user: User) -> list[str]:
    sessions = Session.objects.iterator(chunk_size=500)
    return [one.pk for one in sessions if one.get_decoded().get("_auth_user_id") == str(user.pk)]


def _delete_journal(ids: list[str], deleted: Counter[str]) -> None:
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


def _blacken(user: User, diagnoses: list[str]) -> None:
    """What stays is about others, or about the site: it no longer says who."""
    of_users, of_diagnoses = (ContentType.objects.get_for_model(model) for model in (User, Diagnosis))
    about = LogEntry.objects.filter(content_type=of_users, object_id=str(user.pk))
    about |= LogEntry.objects.filter(content_type=of_diagnoses, object_id__in=diagnoses)
    about.update(object_id="", object_repr=MASK, change_message="")
    by = LogEntry.objects.filter(user=user)
    if by.exists():
        nobody, _made = User.objects.get_or_create(username=DELETED, defaults={"is_active": False})
        by.update(user=nobody)
    # Revisions are never changed by the model's own rule; whoever published one may ask all the same.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE errors_copyrevision SET author_name = '' WHERE author_id = %s", [user.pk])


_TABLES = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relkind IN ('r', 'm') AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def rows_with(identifiers: list[str]) -> dict[str, int]:
    """{table: rows} of all tables in which one of the texts stands, in whichever column. Reads every row once."""
    long = [_pattern(text) for text in identifiers if len(text) >= SHORTEST]
    short = [text for text in identifiers if len(text) < SHORTEST]
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
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


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
