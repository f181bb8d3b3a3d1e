"""`errors_coverage` finds missing, too long and inconsistent messages."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from errors.catalogue.coverage import check_default_messages, check_stored_messages, find_subclasses
from errors.catalogue.publishing import publish_draft, seed_error_messages
from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError, get_error_code, register_exception
from errors.messages.default_texts import DEFAULT_TEXTS, DefaultText
from errors.models import CopyOverride, ErrorCopy

C = ErrorCode


def test_the_release_has_no_findings_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("errors_coverage", "--fail", "--built-in")
    assert "every error code has a valid message" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (DefaultText("一个无论如何也放不进轻提示两行之内的标题实在太长了", "说明。", "建议。"), "太长"),
        (DefaultText("标题", "你好 {user}。", "建议。"), "不认识的占位符"),
        (DefaultText("标题", "{platform} 说了什么。", "建议。"), "没有用到占位符"),
        (DefaultText("", "说明。", "建议。"), "请填写"),
        (None, "缺少文案"),
    ],
)
def test_invalid_default_messages_are_found(
    words: DefaultText | None, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words is None:
        monkeypatch.delitem(DEFAULT_TEXTS["zh-hans"], C.NETWORK_ERROR)
    else:
        monkeypatch.setitem(DEFAULT_TEXTS["zh-hans"], C.NETWORK_ERROR, words)
    assert any(what in str(one) for one in check_default_messages())
    with pytest.raises(CommandError):
        call_command("errors_coverage", "--fail", "--built-in")
    call_command("errors_coverage", "--built-in")


@pytest.mark.django_db
def test_a_seeded_table_has_no_findings_and_an_empty_one_lists_every_row() -> None:
    assert len(check_stored_messages()) == len(ErrorCode) * 2
    seed_error_messages()
    assert check_stored_messages() == []
    call_command("errors_coverage", "--fail")


@pytest.mark.django_db
def test_invalid_rows_are_found() -> None:
    seed_error_messages()
    row = ErrorCopy.objects.get(code=C.NETWORK_ERROR, locale="en")
    row.message = "{platform} can't be reached."
    row.save()
    publish_draft(row.pk, author=None, reason="")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE errors_errorcopy SET code = 'GONE' WHERE code = 'CONFLICT' AND locale = 'en'")
    now = timezone.now()
    CopyOverride.objects.create(
        code=C.CONFLICT, locale="en", title="x" * 80, starts_at=now, ends_at=now + timedelta(hours=1), reason="x"
    )
    found = "\n".join(map(str, check_stored_messages()))
    for what in (
        "NETWORK_ERROR zh-hans: 没有用到占位符 {platform}",
        "CONFLICT en: 表里没有",
        "GONE en: 没有这个",
        "太长",
    ):
        assert what in found


def test_every_exception_class_has_a_known_code() -> None:
    kinds = list(find_subclasses(AppError))
    assert {kind.__module__.split(".")[0] for kind in kinds} >= {"errors"}
    for kind in kinds:
        assert kind.code in ERROR_SPECS
        assert get_error_code(kind.__new__(kind)) is kind.code


def test_unmapped_exceptions_are_unknown_errors_and_mappings_are_unique() -> None:
    assert get_error_code(KeyboardInterrupt()) is C.UNKNOWN_ERROR
    with pytest.raises(ValueError, match="is already mapped"):
        register_exception(TimeoutError, C.CONFLICT)
