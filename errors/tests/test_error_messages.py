"""Stored words are data: whatever somebody puts there or into the values, nothing is executed or let through."""

import json
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import problems
from errors.catalogue import snapshot
from errors.codes import ERROR_SPECS, ActionKind, ErrorCode
from errors.messages.default_texts import DEFAULT_TEXTS
from errors.messages.message import (
    TEXT_FIELDS,
    build_default_message,
    build_message,
    get_display_width,
    render_message,
    validate_message,
)
from errors.placeholders import MAX_PLACEHOLDER_LENGTH, PLACEHOLDERS, clean_text, fill_placeholders

C = ErrorCode

BRACES = st.sampled_from(
    [
        "{platform}",
        "{seconds}",
        "{platform.__class__}",
        "{0}",
        "{}",
        "{platform!r}",
        "{seconds:>9999999}",
        "{{platform}}",
        "{platform",
        "}",
        "%(platform)s",
        "${platform}",
        "{_}",
        "{PLATFORM}",
        "{unknown}",
        "<script>",
        "\u202e",
        "\x00",
    ]
)
TEMPLATES = st.lists(st.one_of(BRACES, st.text(max_size=20)), max_size=12).map("".join)
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=400),
    BRACES,
    st.binary(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    st.just(object()),
    st.just("sk-" + "a1B2" * 12),
)
VALUES = st.dictionaries(
    st.one_of(st.sampled_from([*PLACEHOLDERS, "unknown"]), st.text(max_size=8)), HOSTILE, max_size=6
)
CODES = st.sampled_from(list(ErrorCode))


@settings(max_examples=400)
@given(template=TEMPLATES, values=VALUES, code=CODES)
def test_no_template_and_no_value_gets_more_out_than_its_own_safe_text(
    template: str, values: dict[str, Any], code: ErrorCode
) -> None:
    allowed = ERROR_SPECS[code].placeholders_by_name
    shown = fill_placeholders(template, allowed, values, "zh-hans")
    most = len(template) + template.count("{") * MAX_PLACEHOLDER_LENGTH
    assert len(shown) <= most
    assert "__class__" not in shown or "__class__" in template
    assert "a1B2a1B2" not in shown
    assert shown.count("<") <= template.count("<"), "a value brings no markup"
    assert "object at 0x" not in shown


@settings(max_examples=300)
@given(value=HOSTILE)
def test_a_cleaned_value_is_one_short_visible_line(value: Any) -> None:
    clean = clean_text(value)
    assert len(clean) <= MAX_PLACEHOLDER_LENGTH
    assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs"} for one in clean)
    assert not set(clean) & set("<>{}")
    json.dumps(clean).encode()


@settings(max_examples=200)
@given(texts=st.lists(TEMPLATES, min_size=4, max_size=4), values=VALUES, code=CODES)
def test_a_hostile_row_in_the_table_still_makes_a_body_for_every_surface(
    texts: list[str], values: dict[str, Any], code: ErrorCode
) -> None:
    words = build_message(build_default_message(code, "zh-hans").content() | dict(zip(TEXT_FIELDS, texts, strict=True)))
    key = (code.value, "zh-hans")
    before = snapshot._snapshot
    snapshot._snapshot = snapshot.CatalogueSnapshot(1, {**snapshot.DEFAULT_MESSAGES, key: words}, {})
    try:
        body = problems.build_problem(code, locale="zh-hans", params=values)
    finally:
        snapshot._snapshot = before
    json.dumps(body, ensure_ascii=False)
    assert body["code"] == code.value


@settings(max_examples=300)
@given(template=TEMPLATES, code=CODES)
def test_what_passes_the_check_shows_no_brace_and_no_markup(template: str, code: ErrorCode) -> None:
    words = replace(build_default_message(code, "zh-hans"), message=template)
    if "message" in validate_message(code, "zh-hans", words):
        return
    shown = render_message(code, "zh-hans", words, {})["message"]
    assert not set(shown) & set("{}<>")
    assert get_display_width(shown) <= 80


@pytest.mark.parametrize("locale", DEFAULT_TEXTS)
@pytest.mark.parametrize("code", ErrorCode)
def test_the_built_in_words_are_fit_to_be_published(code: ErrorCode, locale: str) -> None:
    assert validate_message(code, locale, build_default_message(code, locale)) == {}
    assert ERROR_SPECS[code].action in ERROR_SPECS[code].allowed_actions


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("title", "网络连接现在失败了", "最多 7"),
        ("title", "", "请填写"),
        ("message", "你好 {user}", "不认识的占位符"),
        ("message", "a{b", "花括号"),
        ("message", "<b>粗</b>", "纯文字"),
        ("message", "看不见\u202e的", "控制字符"),
        ("message", "长" * 61, "太长"),
        ("action", "sign_in", "只能用"),
        ("action", "format_disk", "只能用"),
        ("display", "hologram", "只能是"),
        ("icon", "skull", "只能是"),
        ("duration_ms", 100, "1500"),
        ("action_params", {"url": "https://evil.example"}, "键只能是"),
        ("action_params", [], "对象"),
        ("action_label", "一二三四五六七八九", "太长"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_field_named(column: str, value: Any, why: str) -> None:
    words = build_message(build_default_message(C.DATA_FORMAT_ERROR, "zh-hans").content() | {column: value})
    assert why in validate_message(C.DATA_FORMAT_ERROR, "zh-hans", words)[column]


def test_a_toast_without_an_icon_holds_two_lines() -> None:
    words = replace(build_default_message(C.DATA_FORMAT_ERROR, "zh-hans"), title="网络连接现在失败了", icon="none")
    assert validate_message(C.DATA_FORMAT_ERROR, "zh-hans", words) == {}


def test_words_that_must_carry_the_wait_are_refused_without_it() -> None:
    words = replace(build_default_message(C.RATE_LIMITED, "zh-hans"), suggestion="请稍后再试。")
    assert "{seconds}" in validate_message(C.RATE_LIMITED, "zh-hans", words)["suggestion"]


def test_a_wait_is_told_in_whole_seconds_rounded_up() -> None:
    body = problems.build_problem(C.RATE_LIMITED, locale="zh-hans", retry_after_ms=1200)
    assert body["copy"]["suggestion"] == "请在 2 秒后再试。"


def test_a_value_that_is_missing_reads_well() -> None:
    assert fill_placeholders("请在 {seconds} 秒后再试。", PLACEHOLDERS, {}, "zh-hans") == "请在 几 秒后再试。"
    assert fill_placeholders("{platform} is busy", PLACEHOLDERS, {"platform": None}, "en") == "the platform is busy"


def test_every_action_that_a_code_may_offer_has_words() -> None:
    for code in ErrorCode:
        for locale in DEFAULT_TEXTS:
            for kind in ERROR_SPECS[code].allowed_actions:
                words = replace(build_default_message(code, locale), action=ActionKind(kind).value, action_label="")
                snapshot._snapshot = snapshot.CatalogueSnapshot(
                    1, {**snapshot.DEFAULT_MESSAGES, (code.value, locale): words}, {}
                )
                assert problems.build_displayed_message(code, locale)["action"]["label"]
    snapshot.reset_to_default_messages()
