"""The catalogue of messages: publishing, overrides, snapshots, default messages."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from errors.catalogue import snapshot
from errors.catalogue.publishing import accept_upstream, publish_draft, republish_revision, seed_error_messages
from errors.codes import ErrorCode
from errors.models import CopyOverride, CopyRevision, ErrorCopy, ImmutableError
from testing.data.diagnoses import make_platform

C = ErrorCode


@pytest.fixture(autouse=True)
def fresh_catalogue() -> Iterator[None]:
    snapshot.reset_to_default_messages()
    yield
    snapshot.reset_to_default_messages()


def row(code: ErrorCode = C.SERVER_ERROR, locale: str = "zh-hans") -> ErrorCopy:
    return ErrorCopy.objects.get(code=code, locale=locale)


def edit(copy: ErrorCopy, **columns: str) -> ErrorCopy:
    for name, value in columns.items():
        setattr(copy, name, value)
    copy.full_clean()
    copy.save()
    return copy


def override(**columns: object) -> CopyOverride:
    now = timezone.now()
    values: dict[str, object] = {
        "code": C.AI_PLATFORM_ERROR,
        "locale": "zh-hans",
        "title": "豆包正在维护",
        "message": "豆包正在维护，预计 15:00 恢复。",
        "starts_at": now - timedelta(minutes=1),
        "ends_at": now + timedelta(minutes=1),
        "reason": "公告",
    }
    if columns.get("platform"):
        make_platform(str(columns["platform"]))
    made = CopyOverride(**(values | columns))
    made.full_clean()
    made.save()
    return made


def test_default_messages_are_used_without_a_database() -> None:
    for code in ErrorCode:
        assert snapshot.get_current_message(code, "zh-hans").title
        assert snapshot.get_current_message(code, "en").title
    assert snapshot.get_snapshot_version() == -1


@pytest.mark.django_db
def test_a_draft_is_not_shown_until_it_is_published() -> None:
    seed_error_messages()
    copy = edit(row(), title="服务器打了个盹")
    assert copy.has_draft
    snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.SERVER_ERROR, "zh-hans").title == "系统开小差了"
    revision = publish_draft(copy.pk, author=None, reason="更亲切")
    assert snapshot.refresh_snapshot()
    shown = snapshot.get_current_message(C.SERVER_ERROR, "zh-hans")
    assert (shown.title, shown.revision) == ("服务器打了个盹", revision.number)
    assert not snapshot.refresh_snapshot(), "nothing has changed"
    assert not row().has_draft


@pytest.mark.django_db
def test_a_rollback_creates_a_new_revision() -> None:
    seed_error_messages()
    copy = edit(row(), title="服务器打了个盹")
    publish_draft(copy.pk, author=None, reason="试试")
    republish_revision(copy.pk, 1, author=None, reason="还是原来的好")
    snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.SERVER_ERROR, "zh-hans").title == "系统开小差了"
    assert list(copy.revisions.values_list("number", flat=True)) == [3, 2, 1]


@pytest.mark.django_db
def test_revisions_are_immutable() -> None:
    seed_error_messages()
    revision = CopyRevision.objects.all()[0]
    revision.reason = "其他"
    with pytest.raises(ImmutableError):
        revision.save()
    with pytest.raises(ImmutableError):
        revision.delete()
    with pytest.raises(ImmutableError):
        CopyRevision.objects.filter(pk=revision.pk).update(reason="其他")
    with pytest.raises(ImmutableError):
        CopyRevision.objects.all().delete()


@pytest.mark.django_db
def test_seeding_keeps_edits_and_marks_changed_default_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert seed_error_messages() == {"added": len(ErrorCode) * 2, "updated": 0, "upstream_changed": 0}
    publish_draft(edit(row(), title="服务器打了个盹").pk, author=None, reason="更亲切")
    assert seed_error_messages() == {"added": 0, "updated": 0, "upstream_changed": 0}
    # The next release brings other words for an edited row and for an untouched one.
    from errors.catalogue import publishing
    from errors.messages.message import build_default_message, build_message

    def next_release(code: ErrorCode, locale: str) -> object:
        words = build_default_message(code, locale)
        if code in (C.SERVER_ERROR, C.FORBIDDEN) and locale == "zh-hans":
            return build_message(words.content() | {"title": "新的标题"})
        return words

    monkeypatch.setattr(publishing, "build_default_message", next_release)
    for expected in (
        {"added": 0, "updated": 1, "upstream_changed": 1},
        {"added": 0, "updated": 0, "upstream_changed": 0},
    ):
        assert seed_error_messages() == expected
    assert row(C.FORBIDDEN).title == "新的标题"
    edited = row()
    assert (edited.title, edited.upstream["title"], edited.has_upstream_changes) == ("服务器打了个盹", "新的标题", True)
    snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.SERVER_ERROR, "zh-hans").title == "服务器打了个盹"
    taken = accept_upstream(edited.pk)
    assert (taken.title, taken.has_draft, taken.has_upstream_changes) == ("新的标题", True, False)


@pytest.mark.django_db
def test_an_override_applies_to_its_platform_and_period_only() -> None:
    seed_error_messages()
    now = timezone.now()
    override(platform="doubao")
    override(platform="kimi", title="还没开始", starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=2))
    override(platform="qwen", title="已经结束", starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1))
    snapshot.refresh_snapshot()

    def title(platform: str) -> str:
        return snapshot.get_current_message(C.AI_PLATFORM_ERROR, "zh-hans", platform).title

    assert title("doubao") == "豆包正在维护"
    assert {title(other) for other in ("kimi", "qwen", "")} == {"AI 平台暂时不可用"}
    shown = snapshot.get_current_message(C.AI_PLATFORM_ERROR, "zh-hans", "doubao")
    assert shown.suggestion, "an empty field keeps the published words"


@pytest.mark.django_db
def test_an_override_ends_without_a_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_error_messages()
    override()
    snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.AI_PLATFORM_ERROR, "zh-hans").title == "豆包正在维护"
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    assert snapshot.get_current_message(C.AI_PLATFORM_ERROR, "zh-hans").title == "AI 平台暂时不可用"


@pytest.mark.django_db
def test_every_visible_change_increments_the_version() -> None:
    seed_error_messages()
    made = override()
    for statement in (
        "UPDATE errors_copyoverride SET ends_at = ends_at + interval '1 hour'",
        "DELETE FROM errors_copyoverride",
        "UPDATE errors_errorcopy SET published_id = (SELECT max(id) FROM errors_copyrevision) WHERE id = "
        "(SELECT min(id) FROM errors_errorcopy)",
    ):
        snapshot.refresh_snapshot()
        with connection.cursor() as cursor:
            cursor.execute(statement)
        assert snapshot.refresh_snapshot(), statement
    snapshot.refresh_snapshot()
    edit(row(), title="只是草稿")
    assert not snapshot.refresh_snapshot(), "a draft is not visible"
    assert made.pk


@pytest.mark.django_db
def test_an_invalid_row_affects_only_its_own_message() -> None:
    seed_error_messages()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE errors_copyrevision SET content = '[1]' WHERE copy_id = %s", [row(C.SERVER_ERROR).pk])
        cursor.execute("UPDATE errors_errorcopy SET code = 'NO_SUCH_CODE' WHERE code = 'CONFLICT' AND locale = 'en'")
    snapshot.reset_to_default_messages()
    assert snapshot.refresh_snapshot()
    assert snapshot.get_current_message(C.SERVER_ERROR, "zh-hans").title == "系统开小差了"
    assert snapshot.get_current_message(C.CONFLICT, "en").title == "That conflicts"


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ("zh-hans", "zh-hans"),
        ("zh-CN", "zh-hans"),
        ("ZH-HANS", "zh-hans"),
        ("en", "en"),
        ("en-GB", "en"),
        ("en_US", "en"),
        ("fr", "zh-hans"),
        (None, "zh-hans"),
        ("", "zh-hans"),
    ],
)
def test_resolve_locale_falls_back_to_the_base_language_and_chinese(language: str | None, locale: str) -> None:
    assert snapshot.resolve_locale(language) == locale


def test_a_lookup_takes_microseconds() -> None:
    """CPU time, which does not depend on the load of the machine; measured 2 us."""
    rounds = 20_000
    best = min(measure_lookup_seconds(rounds) for _ in range(5))
    print(f"look-up: {best / rounds * 1e6:.2f} us")
    assert best / rounds < 20e-6


def measure_lookup_seconds(rounds: int) -> float:
    started = time.process_time()
    for _ in range(rounds):
        snapshot.get_current_message(C.AI_PLATFORM_ERROR, "zh-hans", "doubao")
    return time.process_time() - started
