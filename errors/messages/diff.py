"""Differences between two versions of a message, for the admin."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from errors.messages.message import CONTENT_FIELDS

FIELD_LABELS = {
    "title": "标题",
    "message": "说明",
    "suggestion": "建议",
    "action": "按钮动作",
    "action_label": "按钮文字",
    "action_params": "动作参数",
    "display": "展示方式",
    "icon": "图标",
    "duration_ms": "停留毫秒",
}


@dataclass(frozen=True)
class TextPart:
    """A part of a text; kind: "same", "removed" or "added"."""

    kind: str
    text: str


@dataclass(frozen=True)
class FieldDiff:
    field: str
    label: str
    parts: list[TextPart]


def diff_contents(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldDiff]:
    """Return the fields whose values differ, in the order of the form."""
    return [
        FieldDiff(name, FIELD_LABELS[name], _diff_text(_format_value(before.get(name)), _format_value(after.get(name))))
        for name in CONTENT_FIELDS
        if before.get(name) != after.get(name)
    ]


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _diff_text(before: str, after: str) -> list[TextPart]:
    parts = []
    for kind, left, left_end, right, right_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(TextPart("same", before[left:left_end]))
        if kind in ("delete", "replace"):
            parts.append(TextPart("removed", before[left:left_end]))
        if kind in ("insert", "replace"):
            parts.append(TextPart("added", after[right:right_end]))
    return parts
