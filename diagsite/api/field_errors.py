"""Validation errors as {field: readable text}."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

_PARAMETER_SOURCES = {"body", "query", "path", "header"}
# {pydantic's error type: text with the placeholders of its context}
_MESSAGE_TEMPLATES = {
    "missing": _("请填写这一项。"),
    "string_too_short": _("至少 %(min_length)s 个字。"),
    "string_too_long": _("最多 %(max_length)s 个字。"),
    "string_type": _("应为文字。"),
    "string_unicode": _("含有无法识别的字符。"),
    "string_pattern_mismatch": _("含有不允许的字符。"),
    "unreadable": _("含有无法识别的字符。"),
    "too_short": _("至少 %(min_length)s 项。"),
    "too_long": _("最多 %(max_length)s 项。"),
    "list_type": _("应为列表。"),
    "int_type": _("应为整数。"),
    "int_parsing": _("应为整数。"),
    "int_from_float": _("应为整数。"),
    "greater_than_equal": _("不能小于 %(ge)s。"),
    "less_than_equal": _("不能大于 %(le)s。"),
    "site": _("请填写域名，例如 example.com。"),
    "double": _("与前面的重复了。"),
    "one_of": _("code 与 device_id 请提供且只提供一个。"),
}
_FALLBACK_MESSAGE = _("格式不正确。")


def build_field_errors(errors: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return {field: text} of pydantic's errors; nested fields are dotted: `competitors.0.name`."""
    texts = {}
    for error in errors:
        context = error.get("ctx") or {}
        path = [str(part) for part in error.get("loc", ())]
        # ninja prefixes the fields of a body with the source and the name of the parameter.
        if path and path[0] in _PARAMETER_SOURCES:
            path = path[2:] if path[0] == "body" else path[1:]
        field = str(context.get("field", ".".join(path) or "body"))
        texts[field] = str(_MESSAGE_TEMPLATES.get(error.get("type", ""), _FALLBACK_MESSAGE)) % context
    return texts
