"""Error messages in the admin: actions and permissions."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from errors.catalogue import snapshot
from errors.catalogue.publishing import seed_error_messages
from errors.codes import ErrorCode
from errors.edit_conflicts import VERSION_FIELD
from errors.messages.message import CONTENT_FIELDS
from errors.models import CopyOverride, CopyRevision, ErrorCopy, ErrorCount, ErrorEvent
from errors.recording import error_recorder, record_error
from testing.data.diagnoses import make_platform

pytestmark = pytest.mark.django_db

C = ErrorCode


@pytest.fixture(autouse=True)
def seeded(db: None) -> Iterator[None]:
    error_recorder.clear()
    snapshot.reset_to_default_messages()
    seed_error_messages()
    yield
    snapshot.reset_to_default_messages()
    error_recorder.clear()


SignIn = Callable[..., Client]


@pytest.fixture
def sign_in() -> SignIn:
    def with_permissions(*names: str) -> Client:
        users: Any = get_user_model().objects
        user = users.create_user(username="-".join(names) or "nobody", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names, content_type__app_label="errors"))
        client = Client()
        client.force_login(user)
        return client

    return with_permissions


@pytest.fixture
def editor(sign_in: SignIn) -> Client:
    """A user who can edit but not publish."""
    return sign_in("view_errorcopy", "change_errorcopy")


@pytest.fixture
def publisher(sign_in: SignIn) -> Client:
    return sign_in("view_errorcopy", "change_errorcopy", "publish_errorcopy", "view_copyoverride", "view_errorevent")


def row(code: ErrorCode = C.SERVER_ERROR, locale: str = "zh-hans") -> ErrorCopy:
    return ErrorCopy.objects.get(code=code, locale=locale)


def get_form(copy: ErrorCopy, **changes: str) -> dict[str, Any]:
    values = {name: getattr(copy, name) for name in CONTENT_FIELDS} | {"action_params": "{}"}
    return values | changes


def change(client: Client, copy: ErrorCopy, **changes: str) -> Any:
    return client.post(reverse("admin:errors_errorcopy_change", args=[copy.pk]), get_form(copy, **changes))


def test_the_list_shows_how_often_each_code_was_shown_in_few_queries(
    publisher: Client, django_assert_max_num_queries: Any
) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for fingerprint, age, outcome, count in (
        ("a", 1, "shown", 40),
        ("b", 2, "shown", 2),
        ("a", 30, "shown", 1000),
        ("a", 1, "retried", 500),
    ):
        at = hour - timedelta(hours=age)
        ErrorCount.objects.create(code=C.CONFLICT, fingerprint=fingerprint, hour=at, outcome=outcome, count=count)
    with django_assert_max_num_queries(9):
        page = publisher.get(reverse("admin:errors_errorcopy_changelist")).content.decode()
    assert '<td class="field-seen_in_24_hours">42</td>' in page
    for parameter in (
        "has_draft__exact=1",
        "display__exact=toast",
        "locale__exact=en",
        "has_upstream_changes__exact=1",
    ):
        assert publisher.get(reverse("admin:errors_errorcopy_changelist") + f"?{parameter}").status_code == 200


def test_an_editor_can_change_the_draft_but_not_publish(editor: Client) -> None:
    copy = row()
    assert change(editor, copy, title="服务器打了个盹").status_code == 302
    assert row().has_draft
    assert change(editor, row(), title="服务器打了个盹", _publish="1").status_code == 403
    revisions = reverse("admin:errors_errorcopy_roll_back", args=[copy.pk, 1])
    assert editor.post(revisions).status_code == 403
    snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.SERVER_ERROR, "zh-hans").title == "系统开小差了"
    assert editor.get(reverse("admin:errors_copyoverride_add")).status_code == 403


def test_a_publisher_can_publish_with_a_reason_and_roll_back(publisher: Client) -> None:
    copy = row()
    change(publisher, copy, title="服务器打了个盹", _publish="1", reason="更亲切")
    revision = copy.revisions.first()
    assert revision
    assert (revision.number, revision.reason, revision.author_name[:4]) == (2, "更亲切", "view")
    history = publisher.get(reverse("admin:errors_errorcopy_revisions", args=[copy.pk])).content.decode()
    assert "<ins>" in history
    assert "<del>" in history
    publisher.post(reverse("admin:errors_errorcopy_roll_back", args=[copy.pk, 1]), {"reason": "还是原来的"})
    snapshot.refresh_snapshot()
    shown = snapshot.get_current_message(C.SERVER_ERROR, "zh-hans")
    assert (shown.title, shown.revision) == ("系统开小差了", 3)


def test_a_rollback_to_a_text_that_is_invalid_by_now_is_refused(publisher: Client) -> None:
    copy = row()
    too_long = {**copy.draft.content(), "title": "长" * 30}
    CopyRevision.objects.create(copy=copy, number=7, content=too_long, reason="before the limit")
    address = reverse("admin:errors_errorcopy_roll_back", args=[copy.pk, 7])
    assert "没有回滚到第 7 版：标题：太长" in publisher.post(address, follow=True).content.decode()
    assert (row().title, row().published) == (copy.title, copy.published)


def test_a_text_that_an_override_does_not_fit_is_not_published(publisher: Client) -> None:
    now = timezone.now()
    CopyOverride.objects.create(
        code=C.SERVER_ERROR, title="十七个字的标题在对话框里放不下了呀", starts_at=now, ends_at=now + timedelta(hours=1)
    )
    change(publisher, row(), display="modal", message="改了说明", _publish="1")
    published = row().published
    assert published and published.number == 1
    CopyOverride.objects.update(ends_at=now + timedelta(microseconds=1))
    change(publisher, row(), display="modal", message="改了说明", _publish="1")
    published = row().published
    assert published and published.number == 2


def test_a_form_opened_before_another_change_is_refused_and_says_who_changed_what(
    editor: Client, publisher: Client
) -> None:
    copy = row()
    opened = editor.get(reverse("admin:errors_errorcopy_change", args=[copy.pk])).context["adminform"].form
    version = opened[VERSION_FIELD].value()
    change(publisher, copy, title="服务器打了个盹", _publish="1")
    page = change(editor, copy, message="改了说明", opened_version=version).content.decode()
    assert "“标题”现在是“服务器打了个盹”（view_errorcopy-change_errorcopy-publish_errorcopy" in page
    assert "“说明”现在是" not in page
    assert (row().title, row().message) == ("服务器打了个盹", copy.message)
    reopened = editor.get(reverse("admin:errors_errorcopy_change", args=[copy.pk])).context["adminform"].form
    change(editor, row(), message="改了说明", opened_version=reopened[VERSION_FIELD].value())
    assert (row().title, row().message) == ("服务器打了个盹", "改了说明")


def test_an_invalid_draft_is_not_saved(editor: Client) -> None:
    page = change(
        editor, row(C.DATA_FORMAT_ERROR), title="这个标题太长，放不进轻提示的两行文字里面去", message="你好 {user}"
    ).content.decode()
    assert "最多 20" in page
    assert "不认识的占位符" in page
    assert not row(C.DATA_FORMAT_ERROR).has_draft


def test_the_form_contains_the_preview_data_without_inline_script(editor: Client) -> None:
    copy = row(C.RATE_LIMITED)
    page = editor.get(reverse("admin:errors_errorcopy_change", args=[copy.pk])).content.decode()
    assert 'id="copy-preview-data" type="application/json"' in page
    assert "errors/preview.js" in page
    assert "<code>{seconds}</code>" in page
    assert "onclick" not in page


def test_default_messages_of_a_new_release_can_be_accepted_or_rejected(publisher: Client) -> None:
    for name, title in (("_take_upstream", "新的"), ("_keep_own", "系统开小差了")):
        copy = row()
        ErrorCopy.objects.filter(pk=copy.pk).update(
            upstream=copy.draft.content() | {"title": "新的"}, has_upstream_changes=True
        )
        page = publisher.get(reverse("admin:errors_errorcopy_change", args=[copy.pk])).content.decode()
        assert "随版本提供的文案有更新" in page
        change(publisher, row(), **{name: "1"})
        assert (row().title, row().has_upstream_changes) == (title, False)
        publisher.post(reverse("admin:errors_errorcopy_roll_back", args=[copy.pk, 1]))


def test_only_a_publisher_can_create_a_valid_override(publisher: Client) -> None:
    now = timezone.localtime()
    form = {
        "code": "AI_PLATFORM_ERROR",
        "locale": "zh-hans",
        "platform": "doubao",
        "title": "豆包正在维护",
        "message": "",
        "suggestion": "",
        "reason": "公告",
        "starts_at_0": now.strftime("%Y-%m-%d"),
        "starts_at_1": (now - timedelta(minutes=1)).strftime("%H:%M:%S"),
        "ends_at_0": (now + timedelta(days=1)).strftime("%Y-%m-%d"),
        "ends_at_1": now.strftime("%H:%M:%S"),
    }
    address = reverse("admin:errors_copyoverride_add")
    assert "没有标识为“doubao”的平台" in publisher.post(address, form).content.decode()
    make_platform("doubao")
    assert "不区分平台" in publisher.post(address, form | {"code": "CONFLICT"}).content.decode()
    assert "太长" in publisher.post(address, form | {"title": "豆包正在维护" * 4}).content.decode()
    assert publisher.post(address, form).status_code == 302
    assert CopyOverride.objects.get().author
    assert "生效中" in publisher.get(reverse("admin:errors_copyoverride_changelist")).content.decode()


def upload(client: Client, text: str) -> str:
    file = SimpleUploadedFile("copy.csv", text.encode(), "text/csv")
    page: str = client.post(reverse("admin:errors_errorcopy_import"), {"file": file}).content.decode()
    return page


def edited(text: str, code: str, locale: str, /, **columns: str) -> str:
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    for one in rows:
        if (one["code"], one["locale"]) == (code, locale):
            one.update(columns)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def exported(client: Client) -> str:
    text: str = client.get(reverse("admin:errors_errorcopy_export")).content.decode()
    return text


def test_an_imported_file_changes_drafts(editor: Client) -> None:
    text = exported(editor)
    assert "没有改动" in upload(editor, text)
    changed = edited(text, "SERVER_ERROR", "en", title="=Oh no")
    page = upload(editor, changed)
    assert "<ins>" in page
    assert not row(C.SERVER_ERROR, "en").has_draft, "looking changes nothing"
    editor.post(reverse("admin:errors_errorcopy_import"), {"content": changed})
    assert (row(C.SERVER_ERROR, "en").title, row(C.SERVER_ERROR, "en").has_draft) == ("=Oh no", True)
    assert "'=Oh no" in exported(editor), "a spreadsheet must not take it for a formula"
    assert "没有改动" in upload(editor, exported(editor))


@pytest.mark.parametrize(
    ("columns", "field", "why"),
    [
        ({"message": "{user}"}, "message", "不认识的占位符"),
        ({"title": ""}, "title", "请填写"),
        ({"title": "Changed", "was_title": "Older words"}, "title", "重新导出"),
        ({"code": "NO_SUCH"}, "code", "没有这条文案"),
    ],
)
def test_an_invalid_file_lists_errors_by_line_and_field_and_writes_nothing(
    editor: Client, columns: dict[str, str], field: str, why: str
) -> None:
    changed = edited(exported(editor), "SERVER_ERROR", "en", **columns)
    changed = edited(changed, "CONFLICT", "en", title="Also changed")
    page = upload(editor, changed)
    assert f"· {field}：" in page
    assert why in page
    editor.post(reverse("admin:errors_errorcopy_import"), {"content": changed})
    assert not ErrorCopy.objects.filter(has_draft=True).exists()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '"code', "\x00"])
def test_an_unreadable_file_is_explained(editor: Client, text: str) -> None:
    assert 'class="errornote"' in upload(editor, text or "x")


def test_events_are_found_by_reference_and_grouped(publisher: Client) -> None:
    for number in range(3):
        record_error(
            C.SERVER_ERROR, error=ZeroDivisionError(), request_id=f"7f3a9c0{number}deadbeef", place="orders:place"
        )
    record_error(C.CONFLICT, request_id="00000000")
    error_recorder.flush()
    address = reverse("admin:errors_errorevent_changelist")
    page = publisher.get(f"{address}?q=7f3a9c01").content.decode()
    assert "7f3a9c01" in page
    assert "7f3a9c02" not in page
    groups = publisher.get(reverse("admin:errors_errorevent_groups")).content.decode()
    assert "ZeroDivisionError" in groups
    assert "<td>3</td>" in groups
    event = ErrorEvent.objects.all()[0]
    assert publisher.post(reverse("admin:errors_errorevent_delete", args=[event.pk])).status_code == 403
