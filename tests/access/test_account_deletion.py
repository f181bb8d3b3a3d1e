"""Account deletion removes all data of the user, keeps that of others, and is verified."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, models
from django.test import Client
from django.utils import timezone

from diagnosis.models import Answer, Diagnosis, LegacyRecord, Member, Workspace
from diagsite.accounts import tokens, users
from diagsite.accounts.deletion import (
    DELETED_USERNAME,
    collect_identifiers,
    count_rows_containing,
    delete_user_data,
)
from diagsite.models import Notification, User
from diagsite.operations.retention import prune_expired_rows
from errors.models import ErrorEvent
from progress.models import Event, Stream
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db

OPENID = "openid-of-the-user-0001"


@pytest.fixture
def user() -> User:
    """A user with data in every table."""
    user = users.get_or_create_wechat_user(OPENID)
    platform = make_platform()
    diagnosis = run_and_end(
        make_diagnosis(user, [platform], questions=["甲？", "乙？"]), make_valid_result(), make_failed_result()
    )
    make_diagnosis(user, [platform])  # still running
    ErrorEvent.objects.create(code="AI_PLATFORM_ERROR", fingerprint="f", outcome="shown", diagnosis_id=diagnosis.pk)
    LegacyRecord.objects.create(table="t", key="1", raw={"openid": OPENID}, diagnosis=diagnosis)
    Client().force_login(user)
    root = User.objects.create_superuser(username="superuser-of-the-site")
    LogEntry.objects.log_actions(root.pk, [user, diagnosis], 2, f"wechat {OPENID}")
    return user


@pytest.fixture
def other(user: User) -> User:
    """Another user with similar data."""
    other = users.get_or_create_wechat_user("openid-of-another-0002")
    run_and_end(
        make_diagnosis(other, [make_platform("other")], questions=["甲？", "乙？"]),
        make_valid_result(),
        make_failed_result(),
    )
    return other


def list_user_rows(owner: User) -> tuple[int, ...]:
    diagnoses = Diagnosis.objects.filter(owner=owner)
    return (diagnoses.count(), Answer.objects.filter(diagnosis__in=diagnoses).count(), owner.streams.count())


def test_all_data_of_the_user_is_deleted_and_no_other(user: User, other: User) -> None:
    user_id, identifiers, before = str(user.pk), collect_identifiers(user), list_user_rows(other)
    assert count_rows_containing(identifiers)
    forgotten = delete_user_data(user)
    assert forgotten.remaining == {} == count_rows_containing(identifiers)
    assert not User.objects.filter(wechat_openid=OPENID).exists()
    assert not [row for row in Session.objects.all() if row.get_decoded().get("_auth_user_id") == user_id]
    assert list_user_rows(other) == before
    assert forgotten.deleted["diagnosis.Diagnosis"] == 2
    assert forgotten.deleted["procrastinate.ProcrastinateJob"] >= 1
    assert Event.objects.count() == Event.objects.filter(stream__owner=other).count() > 0


def test_dry_run_changes_nothing_and_counts_the_same(user: User, other: User) -> None:
    tables = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    before = {model: model._base_manager.count() for model in tables}
    looked = delete_user_data(user, apply=False)
    assert before == {model: model._base_manager.count() for model in tables}
    Diagnosis.objects.filter(owner=user).unfinished().update(status="cancelled")
    assert delete_user_data(user).deleted == looked.deleted


def test_admin_log_stays_without_names(user: User) -> None:
    delete_user_data(user)
    entries = LogEntry.objects.all()
    assert entries.count() == 2
    assert {(entry.object_repr, entry.change_message) for entry in entries} == {("***", "")}


def test_actions_of_deleted_staff_stay(user: User) -> None:
    delete_user_data(User.objects.get(username="superuser-of-the-site"))
    assert {entry.user.username for entry in LogEntry.objects.all()} == {DELETED_USERNAME}
    assert not User.objects.get(username=DELETED_USERNAME).is_active


def test_verification_finds_leftovers_in_any_table(user: User) -> None:
    Notification.objects.create(diagnosis=Diagnosis.objects.filter(owner=user)[0], due_at="2026-01-01T00:00Z")
    stray = make_platform("stray", name=f"of {OPENID}")
    assert delete_user_data(user).remaining == {"diagnosis_platform": 1}
    stray.delete()


def test_tables_with_any_column_names_are_searched(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute('CREATE TABLE odd (t text, field text, value text, "Table" text)')
        cursor.execute("INSERT INTO odd VALUES ('x', 'y', %s, 'z'), (%s, '', '', '')", ["ann", OPENID])
        cursor.execute('CREATE TABLE "Odd name" (t integer)')
    assert count_rows_containing(["ann", OPENID])["odd"] == 2


def test_short_identifier_matches_whole_values_only(user: User) -> None:
    User.objects.filter(pk=user.pk).update(username="ann")
    make_platform("p", name="announcement")
    assert delete_user_data(User.objects.get(pk=user.pk)).remaining == {}


@pytest.mark.parametrize("by", ["username", "wechat_openid", "pk"])
def test_user_is_found_by_any_identifier(user: User, by: str) -> None:
    assert users.find_user(str(getattr(user, by))) == user


def test_command_needs_apply_and_verifies(user: User) -> None:
    said = StringIO()
    call_command("forget_user", user.username, stdout=said)
    assert "to delete" in said.getvalue()
    assert "nothing was changed" in said.getvalue()
    assert User.objects.filter(pk=user.pk).exists()
    call_command("forget_user", user.username, "--apply", stdout=said)
    assert "verified: no row" in said.getvalue()
    assert not User.objects.filter(pk=user.pk).exists()


def test_every_foreign_key_to_user_or_diagnosis_is_deleted_or_redacted() -> None:
    """A new foreign key that would prevent a deletion fails here: it must cascade or be emptied."""
    fine = {models.CASCADE, models.SET_NULL}
    holding = [
        f"{relation.related_model.__name__}.{relation.field.name}"
        for model in (User, Diagnosis, Answer, Stream)
        for relation in model._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete not in fine
    ]
    assert holding == ["Diagnosis.stream"]


# DELETE /api/account


def delete_account(user: User, body: Any, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token or tokens.issue_token(user).token}"}
    return Client(headers=headers).delete("/api/account", body, content_type="application/json")


def test_user_deletes_the_own_account_with_confirmation(user: User, django_capture_on_commit_callbacks: Any) -> None:
    token = tokens.issue_token(user).token
    for wrong in ({}, {"confirm": "yes"}):
        answer = delete_account(user, wrong)
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["confirm"])
    with django_capture_on_commit_callbacks(execute=True):
        assert delete_account(user, {"confirm": "DELETE"}, token).status_code == 204
    assert not User.objects.filter(pk=user.pk).exists()
    assert delete_account(user, {"confirm": "DELETE"}, token).status_code == 401


def test_staff_cannot_delete_the_own_account(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    assert delete_account(user, {"confirm": "DELETE"}).status_code == 403
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM diagsite_user WHERE id = %s", [user.pk])
        assert cursor.fetchone()[0] == 1


# Workspaces


def test_workspace_of_a_deleted_owner_passes_to_another_owner_or_goes(user: User, other: User) -> None:
    shared = Diagnosis.objects.filter(owner=other).get().workspace
    assert shared
    Member.objects.create(workspace=shared, user=user, role="owner")
    given = make_diagnosis(user, [make_platform("given")], workspace=shared.pk)
    own = Workspace.objects.get(default_for=user)
    Member.objects.create(workspace=own, user=other, role="editor")
    of_editor = make_diagnosis(other, [make_platform("of-editor")], workspace=own.pk)
    report = delete_user_data(user)
    assert report.remaining == {}
    assert list(Workspace.objects.all()) == [shared]
    given.refresh_from_db()
    assert (given.owner, given.stream.owner, given.is_final) == (other, other, False)
    assert not Diagnosis.objects.filter(pk=of_editor.pk).exists()


def test_deleted_workspace_leaves_no_row_after_a_week(user: User, other: User) -> None:
    workspace = Workspace.objects.get(default_for=user)
    Member.objects.create(workspace=workspace, user=other, role="viewer")
    diagnoses = Diagnosis.objects.filter(workspace=workspace)
    ids = [str(workspace.pk), *map(str, diagnoses.values_list("pk", flat=True))]
    ids += map(str, diagnoses.values_list("stream_id", flat=True))
    ids += map(str, Answer.objects.filter(diagnosis__in=diagnoses).values_list("pk", flat=True))
    before = list_user_rows(other)
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=timezone.now() - timedelta(days=6))
    assert prune_expired_rows(["workspaces"]) == {"workspaces": 0}
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=timezone.now() - timedelta(days=8))
    assert prune_expired_rows(["workspaces"]) == {"workspaces": 1}
    assert count_rows_containing(ids) == {}
    assert list_user_rows(other) == before
    assert User.objects.filter(pk=user.pk).exists()
