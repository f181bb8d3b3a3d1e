"""The audit log records changes by staff with old and new values and cannot be edited."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.models import Platform
from diagsite.admin.audit_log import parse_changes
from diagsite.models import User
from errors.audit import AuditedAdmin
from errors.catalogue.publishing import seed_error_messages
from errors.edit_conflicts import VERSION_FIELD
from errors.models import ErrorCopy
from errors.redaction import MASK
from monitoring.models import Channel
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_platform, run_and_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser(username="root")


@pytest.fixture
def client(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def post_form(client: Client, path: str, **changes: Any) -> None:
    """Submit the form of a page with changed fields."""
    form = client.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in (values | changes).items() if value is not None and value is not False}
    answer = client.post(path, data)
    assert answer.status_code == 302, answer.context["errors"]


def last() -> tuple[str, dict[str, tuple[str, str]]]:
    """Return message and values of the last entry."""
    entry = LogEntry.objects.order_by("-pk")[0]
    return entry.get_change_message(), dict(parse_changes(entry))


def test_changed_field_is_logged_with_its_values(client: Client) -> None:
    make_platform("p", price_per_call=1)
    post_form(client, "/admin/diagnosis/platform/p/change/", concurrency=7)
    assert last()[1] == {"concurrency": ("5", "7")}
    page = client.get("/admin/admin/logentry/").content.decode()
    assert "concurrency：5 → 7" in page


def test_a_change_by_the_site_itself_is_not_undone_by_an_older_form(client: Client) -> None:
    platform = make_platform("p")
    path = "/admin/diagnosis/platform/p/change/"
    version = client.get(path).context["adminform"].form[VERSION_FIELD].value()
    # The site itself paused the platform meanwhile: saving the form as it was opened would resume it.
    Platform.objects.filter(pk=platform.pk).pause(timezone.now() + timedelta(hours=1), FailureReason.QUOTA)
    form = client.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields} | {VERSION_FIELD: version, "paused_until": None}
    page = client.post(path, {name: value for name, value in values.items() if value not in (None, False)})
    text = page.content.decode()
    assert "“暂停至”现在是" in text
    assert "“暂停原因”现在是“配额用尽或欠费”（系统）" in text


def test_secrets_are_not_logged(client: Client) -> None:
    form = {"name": "钩子", "kind": "webhook", "address": "https://127.0.0.1/first-secret", "is_enabled": "on"}
    assert client.post("/admin/monitoring/channel/add/", form).status_code == 302
    channel = Channel.objects.get()
    form |= {"address": "https://127.0.0.1/second-secret", "key": "third-secret", "name": "新名"}
    assert client.post(f"/admin/monitoring/channel/{channel.pk}/change/", form).status_code == 302
    values = last()[1]
    assert values["name"] == ("钩子", "新名")
    assert values["address"] == values["key"] == (MASK, MASK)
    assert "-secret" not in str(list(LogEntry.objects.values()))


def test_password_change_is_logged_without_the_password(client: Client, root: User) -> None:
    account = User.objects.create(username="a")
    new = {"password1": "a-long-new-password", "password2": "a-long-new-password", "usable_password": "true"}
    assert client.post(f"/admin/diagsite/user/{account.pk}/password/", new).status_code == 302
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user) == (str(account.pk), root)
    assert "a-long-new-password" not in entry.change_message


def test_bulk_action_is_logged_for_each_row(client: Client) -> None:
    for name in ("a", "b"):
        make_platform(name, pause_reason="quota")
    client.post("/admin/diagnosis/platform/", {"action": "resume", "_selected_action": ["a", "b"]})
    entries = LogEntry.objects.all()
    assert {entry.object_id for entry in entries} == {"a", "b"}
    assert all("恢复所选平台；pause_reason：quota → " in entry.get_change_message() for entry in entries)


def test_cancelling_is_logged(client: Client, root: User) -> None:
    diagnosis = make_diagnosis(root, [make_platform()])
    client.post("/admin/diagnosis/diagnosis/", {"action": "cancel", "_selected_action": [str(diagnosis.pk)]})
    assert "status：queued → cancelled" in last()[0]


def test_custom_admin_pages_are_logged(client: Client) -> None:
    seed_error_messages()
    copy = ErrorCopy.objects.get(code="SERVER_ERROR", locale="zh-hans")
    path = f"/admin/errors/errorcopy/{copy.pk}/"
    client.post(f"{path}revisions/1/roll-back/", {"reason": "演练"})
    assert "回到第 1 版" in last()[0]


def test_deletion_is_logged_with_the_name(client: Client) -> None:
    make_platform("gone")
    client.post("/admin/diagnosis/platform/gone/delete/", {"post": "yes"})
    entry = LogEntry.objects.get()
    assert (entry.is_deletion(), entry.object_id) == (True, "gone")
    assert not Platform.objects.exists()


def test_audit_log_cannot_be_edited_or_deleted(client: Client, root: User) -> None:
    diagnosis = run_and_end(make_diagnosis(root, [make_platform("p")]), make_failed_result())
    LogEntry.objects.log_actions(root.pk, [diagnosis], 2, "x", single_object=True)
    pk = LogEntry.objects.get().pk
    assert client.post(f"/admin/admin/logentry/{pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/admin/logentry/{pk}/change/", {"object_repr": "y"}).status_code == 403
    client.post("/admin/admin/logentry/", {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert LogEntry.objects.get().object_repr == str(diagnosis)


def test_every_editable_model_is_audited(client: Client, root: User, rf: Any) -> None:
    request = rf.get("/admin/")
    request.user = root
    unaudited = [
        model.__name__
        for model, shown in admin.site._registry.items()
        if shown.has_add_permission(request) or shown.has_change_permission(request) or shown.actions
        if not isinstance(shown, AuditedAdmin)
    ]
    assert unaudited == []
