"""Validation and rendering of messages: hostile templates and values are neither executed nor passed on."""

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
from errors.placeholders import MAX_PLACEHOLDER_LENGTH, clean_text, fill_placeholders

C = ErrorCode
PLACEHOLDERS = {
    name: placeholder for spec in ERROR_SPECS.values() for name, placeholder in spec.placeholders_by_name.items()
}

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
def test_hostile_templates_and_values_render_safely(template: str, values: dict[str, Any], code: ErrorCode) -> None:
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
def test_clean_text_returns_one_short_visible_line(value: Any) -> None:
    clean = clean_text(value)
    assert len(clean) <= MAX_PLACEHOLDER_LENGTH
    assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs"} for one in clean)
    assert not set(clean) & set("<>{}")
    json.dumps(clean).encode()


@settings(max_examples=200)
@given(texts=st.lists(TEMPLATES, min_size=4, max_size=4), values=VALUES, code=CODES)
def test_a_hostile_row_still_builds_a_problem_body(texts: list[str], values: dict[str, Any], code: ErrorCode) -> None:
    message = build_message(
        build_default_message(code, "zh-hans").content() | dict(zip(TEXT_FIELDS, texts, strict=True))
    )
    key = (code.value, "zh-hans")
    before = snapshot._snapshot
    snapshot._snapshot = snapshot.CatalogueSnapshot(1, {**snapshot.DEFAULT_MESSAGES, key: message}, {})
    try:
        body = problems.build_problem(code, locale="zh-hans", params=values)
    finally:
        snapshot._snapshot = before
    json.dumps(body, ensure_ascii=False)
    assert body["code"] == code.value


@settings(max_examples=300)
@given(template=TEMPLATES, code=CODES)
def test_valid_messages_render_without_braces_and_markup(template: str, code: ErrorCode) -> None:
    message = replace(build_default_message(code, "zh-hans"), message=template)
    if "message" in validate_message(code, "zh-hans", message):
        return
    shown = render_message(code, "zh-hans", message, {})["message"]
    assert not set(shown) & set("{}<>")
    assert get_display_width(shown) <= 80


@pytest.mark.parametrize("locale", DEFAULT_TEXTS)
@pytest.mark.parametrize("code", ErrorCode)
def test_default_messages_are_valid(code: ErrorCode, locale: str) -> None:
    assert validate_message(code, locale, build_default_message(code, locale)) == {}
    assert ERROR_SPECS[code].action in ERROR_SPECS[code].allowed_actions


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("title", "网络连接现在失败了" * 3, "最多 20"),
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
def test_invalid_fields_are_reported_by_name(column: str, value: Any, why: str) -> None:
    message = build_message(build_default_message(C.DATA_FORMAT_ERROR, "zh-hans").content() | {column: value})
    assert why in validate_message(C.DATA_FORMAT_ERROR, "zh-hans", message)[column]


def test_required_placeholders_are_enforced() -> None:
    message = replace(build_default_message(C.RATE_LIMITED, "zh-hans"), suggestion="请稍后再试。")
    assert "{seconds}" in validate_message(C.RATE_LIMITED, "zh-hans", message)["suggestion"]


def test_waits_are_rounded_up_to_seconds() -> None:
    body = problems.build_problem(C.RATE_LIMITED, locale="zh-hans", retry_after_ms=1200)
    assert body["copy"]["suggestion"] == "请在 2 秒后再试。"


def test_missing_values_are_replaced_by_fallbacks() -> None:
    assert fill_placeholders("请在 {seconds} 秒后再试。", PLACEHOLDERS, {}, "zh-hans") == "请在 几 秒后再试。"
    assert fill_placeholders("{platform} is busy", PLACEHOLDERS, {"platform": None}, "en") == "the platform is busy"


def test_every_allowed_action_has_a_label() -> None:
    for code in ErrorCode:
        for locale in DEFAULT_TEXTS:
            for kind in ERROR_SPECS[code].allowed_actions:
                message = replace(build_default_message(code, locale), action=ActionKind(kind).value, action_label="")
                snapshot._snapshot = snapshot.CatalogueSnapshot(
                    1, {**snapshot.DEFAULT_MESSAGES, (code.value, locale): message}, {}
                )
                assert problems.build_displayed_message(code, locale)["action"]["label"]
    snapshot.reset_to_default_messages()
