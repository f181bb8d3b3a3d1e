"""The words of one code in one locale, as they are stored, checked and shown."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from errors.codes import SPECS, ActionKind, Display, ErrorCode
from errors.copy import COPY, LABELS
from errors.placeholders import fill, names_in

TEXT_FIELDS = ("title", "message", "suggestion", "action_label")
ICONS = ("info", "warning", "error", "success", "none")
ACTION_PARAMS = {"diagnosis", "status", "platform"}

# A mini-program's toast shows at most 7 full-width characters beside an icon, and without one two lines.
TOAST_ICONS = {"error", "success"}
MOST_OF_TOAST_WITH_ICON = 7.0
MOST_OF_TOAST = 20.0
MOST_OF_MODAL_TITLE = 16.0  # one line at 375 px
MOST_OF_TITLE = 20.0
MOST_OF_TEXT = 60.0  # three lines at 375 px
MOST_OF_LABEL = 8.0
TOAST_MILLISECONDS = range(1500, 10_001)


@dataclass(frozen=True, slots=True)
class Words:
    """Templates with placeholders, and how they are shown. revision: the published one's number, 0 for built-in."""

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
        """What a revision stores: everything but its own number."""
        content = asdict(self)
        del content["revision"]
        return content


CONTENT_FIELDS = tuple(one.name for one in fields(Words) if one.name != "revision")


def words_of(content: Mapping[str, Any], revision: int = 0) -> Words:
    """The words in stored content. Raises KeyError or TypeError when it is not one."""
    return Words(**{name: content[name] for name in CONTENT_FIELDS}, revision=revision)


def builtin_words(code: ErrorCode, locale: str) -> Words:
    """The words that the code itself brings."""
    spec, copy, labels = SPECS[code], COPY[locale][code], LABELS[locale]
    return Words(
        title=copy.title,
        message=copy.message,
        suggestion=copy.suggestion,
        action=spec.action.value,
        action_label=labels.get(code, labels[spec.action]),
        display=spec.display.value,
        icon=spec.severity.value,
        duration_ms=3000 if spec.display is Display.TOAST else 0,
    )


def render(code: ErrorCode, locale: str, words: Words, values: Mapping[str, Any]) -> dict[str, str]:
    """The text fields with their placeholders filled."""
    allowed = SPECS[code].placeholders_by_name
    return {name: fill(getattr(words, name), allowed, values, locale) for name in TEXT_FIELDS}


def width(text: str) -> float:
    """Full-width characters; a half-width one counts half."""
    return sum(1.0 if unicodedata.east_asian_width(one) in "WFA" else 0.5 for one in text)


def faults_of(code: ErrorCode, locale: str, words: Words) -> dict[str, str]:
    """{field: what is wrong with it}, for whoever edits or imports; empty when the words may be published."""
    faults = _faults_of_form(code, words)
    for name in TEXT_FIELDS:
        fault = _fault_of_text(code, name, getattr(words, name))
        if fault:
            faults[name] = fault
    missing = SPECS[code].required - set().union(*(names_in(getattr(words, name)) for name in TEXT_FIELDS))
    if missing:
        faults.setdefault("suggestion", f"缺少占位符：{'、'.join(f'{{{name}}}' for name in sorted(missing))}。")
    return _faults_of_length(code, locale, words) | faults


def _faults_of_form(code: ErrorCode, words: Words) -> dict[str, str]:
    faults = {}
    if words.display not in set(Display):
        faults["display"] = f"只能是：{'、'.join(Display)}。"
    allowed = sorted(SPECS[code].actions)
    if words.action not in allowed:
        faults["action"] = f"这个错误只能用：{'、'.join(allowed)}。"
    if words.icon not in ICONS:
        faults["icon"] = f"只能是：{'、'.join(ICONS)}。"
    if words.display == Display.TOAST and words.duration_ms not in TOAST_MILLISECONDS:
        faults["duration_ms"] = "轻提示请停留 1500–10000 毫秒。"
    if words.display != Display.TOAST and words.duration_ms:
        faults["duration_ms"] = "只有轻提示会自己消失，请填 0。"
    if not _are_params(words.action_params):
        faults["action_params"] = f"应为对象，键只能是：{'、'.join(sorted(ACTION_PARAMS))}，值为不超过 64 个字的文字。"
    return faults


def _are_params(params: Any) -> bool:
    return isinstance(params, dict) and all(
        key in ACTION_PARAMS and isinstance(value, str) and len(value) <= 64 for key, value in params.items()
    )


def _fault_of_text(code: ErrorCode, name: str, text: str) -> str:
    if not text.strip():
        return "" if name == "action_label" else "请填写。"
    if any(unicodedata.category(one) in {"Cc", "Cf", "Cs"} for one in text):
        return "含有看不见的控制字符。"
    if "<" in text or ">" in text:
        return "只能是纯文字，不能含有 < 或 >。"
    allowed = SPECS[code].placeholders_by_name
    unknown = sorted(names_in(text) - set(allowed))
    if unknown:
        known = "、".join(f"{{{one}}}" for one in allowed) or "无"
        return f"不认识的占位符：{'、'.join(f'{{{one}}}' for one in unknown)}；可用：{known}。"
    stripped = fill(text, allowed, {}, "")
    return "花括号只能用于占位符。" if "{" in stripped or "}" in stripped else ""


def longest_title(words: Words) -> float:
    """What the place where it is shown holds, in full-width characters."""
    if words.display == Display.TOAST:
        return MOST_OF_TOAST_WITH_ICON if words.icon in TOAST_ICONS else MOST_OF_TOAST
    return MOST_OF_MODAL_TITLE if words.display == Display.MODAL else MOST_OF_TITLE


def _faults_of_length(code: ErrorCode, locale: str, words: Words) -> dict[str, str]:
    """Measured as shown, with every placeholder at its example."""
    examples = {
        one.name: int(one.example) if one.example.isdigit() else one.example for one in SPECS[code].placeholders
    }
    shown = render(code, locale, words, examples)
    limits = {
        "title": longest_title(words),
        "message": MOST_OF_TEXT,
        "suggestion": MOST_OF_TEXT,
        "action_label": MOST_OF_LABEL,
    }
    return {
        name: f"太长：{width(shown[name]):g} 个字宽，这里最多 {most:g}（半角字符算半个）。"
        for name, most in limits.items()
        if width(shown[name]) > most
    }


def actions_of(code: ErrorCode) -> list[ActionKind]:
    """What an operator may choose from."""
    return [kind for kind in ActionKind if kind in SPECS[code].actions]
