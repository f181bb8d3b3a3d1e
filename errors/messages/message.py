"""The message of one code in one locale: content, validation, rendering."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from errors.codes import ERROR_SPECS, ActionKind, Display, ErrorCode
from errors.messages.default_texts import ACTION_LABELS, DEFAULT_TEXTS
from errors.placeholders import fill_placeholders, find_placeholder_names

TEXT_FIELDS = ("title", "message", "suggestion", "action_label")
ICONS = ("info", "warning", "error", "success", "none")
ALLOWED_ACTION_PARAMS = {"diagnosis", "status", "platform"}

MAX_MODAL_TITLE_WIDTH = 16.0  # one line at 375 px
MAX_TITLE_WIDTH = 20.0  # two lines of a toast beside its button
MAX_TEXT_WIDTH = 60.0  # three lines at 375 px
MAX_LABEL_WIDTH = 8.0
ALLOWED_TOAST_DURATIONS_MS = range(1500, 10_001)


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """Texts with placeholders, and how they are displayed. revision: its number when published, 0 for the default."""

    title: str
    message: str
    suggestion: str
    action: str
    action_label: str
    display: str
    icon: str
    duration_ms: int = 0
    action_params: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0

    def content(self) -> dict[str, Any]:
        """Return the fields that a revision stores: all except `revision`."""
        content = asdict(self)
        del content["revision"]
        return content


CONTENT_FIELDS = tuple(field.name for field in fields(ErrorMessage) if field.name != "revision")


def build_message(content: Mapping[str, Any], revision: int = 0) -> ErrorMessage:
    """Build a message from stored content. Raises KeyError or TypeError when a field is missing."""
    return ErrorMessage(**{name: content[name] for name in CONTENT_FIELDS}, revision=revision)


def build_message_or_fallback(content: Any, fallback: ErrorMessage, revision: int = 0) -> ErrorMessage:
    """Build a message from stored content; missing fields, or all if it is invalid, are taken from the fallback."""
    if not isinstance(content, dict) or not all(isinstance(content.get(name, ""), str) for name in TEXT_FIELDS):
        return fallback
    return build_message(fallback.content() | content, revision)


def build_default_message(code: ErrorCode, locale: str) -> ErrorMessage:
    """Build the default message of the release."""
    spec, default_text, labels = ERROR_SPECS[code], DEFAULT_TEXTS[locale][code], ACTION_LABELS[locale]
    return ErrorMessage(
        title=default_text.title,
        message=default_text.message,
        suggestion=default_text.suggestion,
        action=spec.action.value,
        action_label=labels.get(code, labels[spec.action]),
        display=spec.display.value,
        icon=spec.severity.value,
        duration_ms=3000 if spec.display is Display.TOAST else 0,
    )


def render_message(code: ErrorCode, locale: str, message: ErrorMessage, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the text fields with their placeholders replaced."""
    allowed = ERROR_SPECS[code].placeholders_by_name
    return {name: fill_placeholders(getattr(message, name), allowed, values, locale) for name in TEXT_FIELDS}


def get_display_width(text: str) -> float:
    """Return the width in full-width characters; a half-width character counts half."""
    return sum(1.0 if unicodedata.east_asian_width(character) in "WFA" else 0.5 for character in text)


def validate_message(code: ErrorCode, locale: str, message: ErrorMessage) -> dict[str, str]:
    """Return {field: error in Chinese}, for operators; empty when the message may be published."""
    errors = _validate_presentation(code, message)
    for name in TEXT_FIELDS:
        error = _validate_text(code, name, getattr(message, name))
        if error:
            errors[name] = error
    missing = ERROR_SPECS[code].required_placeholders - set().union(
        *(find_placeholder_names(getattr(message, name)) for name in TEXT_FIELDS)
    )
    if missing:
        errors.setdefault("suggestion", f"缺少占位符：{'、'.join(f'{{{name}}}' for name in sorted(missing))}。")
    return _validate_widths(code, locale, message) | errors


def _validate_presentation(code: ErrorCode, message: ErrorMessage) -> dict[str, str]:
    errors = {}
    if message.display not in set(Display):
        errors["display"] = f"只能是：{'、'.join(Display)}。"
    allowed = sorted(ERROR_SPECS[code].allowed_actions)
    if message.action not in allowed:
        errors["action"] = f"这个错误只能用：{'、'.join(allowed)}。"
    if message.icon not in ICONS:
        errors["icon"] = f"只能是：{'、'.join(ICONS)}。"
    if message.display == Display.TOAST and message.duration_ms not in ALLOWED_TOAST_DURATIONS_MS:
        errors["duration_ms"] = "轻提示请停留 1500–10000 毫秒。"
    if message.display != Display.TOAST and message.duration_ms:
        errors["duration_ms"] = "只有轻提示会自己消失，请填 0。"
    params: Any = message.action_params  # from JSON
    if not isinstance(params, dict) or any(
        key not in ALLOWED_ACTION_PARAMS or not isinstance(value, str) or len(value) > 64
        for key, value in params.items()
    ):
        errors["action_params"] = (
            f"应为对象，键只能是：{'、'.join(sorted(ALLOWED_ACTION_PARAMS))}，值为不超过 64 个字的文字。"
        )
    return errors


def _validate_text(code: ErrorCode, name: str, text: str) -> str:
    if not text.strip():
        return "" if name == "action_label" else "请填写。"
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in text):
        return "含有看不见的控制字符。"
    if "<" in text or ">" in text:
        return "只能是纯文字，不能含有 < 或 >。"
    allowed = ERROR_SPECS[code].placeholders_by_name
    unknown = sorted(find_placeholder_names(text) - set(allowed))
    if unknown:
        known = "、".join(f"{{{placeholder}}}" for placeholder in allowed) or "无"
        return f"不认识的占位符：{'、'.join(f'{{{placeholder}}}' for placeholder in unknown)}；可用：{known}。"
    stripped = fill_placeholders(text, allowed, {}, "")
    return "花括号只能用于占位符。" if "{" in stripped or "}" in stripped else ""


def get_max_title_width(message: ErrorMessage) -> float:
    """Return the maximum width of the title on its display, in full-width characters."""
    return MAX_MODAL_TITLE_WIDTH if message.display == Display.MODAL else MAX_TITLE_WIDTH


def _validate_widths(code: ErrorCode, locale: str, message: ErrorMessage) -> dict[str, str]:
    """Measure the rendered texts, with the example of each placeholder."""
    examples = {
        placeholder.name: int(placeholder.example) if placeholder.example.isdigit() else placeholder.example
        for placeholder in ERROR_SPECS[code].placeholders
    }
    shown = render_message(code, locale, message, examples)
    limits = {
        "title": get_max_title_width(message),
        "message": MAX_TEXT_WIDTH,
        "suggestion": MAX_TEXT_WIDTH,
        "action_label": MAX_LABEL_WIDTH,
    }
    return {
        name: f"太长：{get_display_width(shown[name]):g} 个字宽，这里最多 {max_width:g}（半角字符算半个）。"
        for name, max_width in limits.items()
        if get_display_width(shown[name]) > max_width
    }


def list_allowed_actions(code: ErrorCode) -> list[ActionKind]:
    """Return the actions that an operator may select for a code."""
    return [kind for kind in ActionKind if kind in ERROR_SPECS[code].allowed_actions]
