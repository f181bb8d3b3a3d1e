"""Placeholders of stored texts, and how their values are sanitized.

Texts are never passed to `str.format`: only `{name}` of an allowed name is replaced, everything else stays text.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from errors.redaction import MASK, redact

MAX_PLACEHOLDER_LENGTH = 40

_PLACEHOLDER_PATTERN = re.compile(r"\{([a-z][a-z_]{0,31})\}")
_LONG_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_.:+=-]{24,}")
# Control characters, bidi overrides and other format characters, lone surrogates, private use, unassigned.
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn"}
_MARKUP_REMOVAL = str.maketrans("", "", "<>{}")


@dataclass(frozen=True)
class Placeholder:
    """name: the text in braces; clean: converts any value to safe text, "" when it is invalid.

    fallback: {locale: text for an unknown value}, so that the sentence is complete without it.
    """

    name: str
    example: str
    clean: Callable[[Any], str]
    fallback: Mapping[str, str]


def clean_text(value: Any, max_length: int = MAX_PLACEHOLDER_LENGTH) -> str:
    """Return one short line without invisible characters, markup, braces, and what `redact` masks."""
    if not isinstance(value, str):
        return ""
    visible = redact(_remove_invisible(value, max_length))
    return _to_short_line(_LONG_TOKEN_PATTERN.sub(MASK, visible), max_length)


def clean_identifier(value: str, max_length: int) -> str:
    """Return the same of an identifier, such as a label: a long one looks like a key, but is none."""
    return _to_short_line(_remove_invisible(value, max_length), max_length)


def _remove_invisible(value: str, max_length: int) -> str:
    visible = "".join(
        " " if character in "\n\r\t" else character
        for character in value[: max_length * 8]
        if character in "\n\r\t" or unicodedata.category(character) not in _INVISIBLE_CATEGORIES
    )
    return visible.translate(_MARKUP_REMOVAL)


def _to_short_line(text: str, max_length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


def clean_count(value: Any) -> str:
    """Return an integer from 0 to 999999 as text, "" for any other value."""
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    return str(value) if 0 <= value <= 999_999 else ""


PLATFORM_PLACEHOLDER = Placeholder("platform", "豆包", clean_text, {"zh-hans": "该平台", "en": "the platform"})
SECONDS_PLACEHOLDER = Placeholder("seconds", "30", clean_count, {"zh-hans": "几", "en": "a few"})
VALID_PLACEHOLDER = Placeholder("valid", "8", clean_count, {"zh-hans": "部分", "en": "some"})
PLANNED_PLACEHOLDER = Placeholder("planned", "12", clean_count, {"zh-hans": "全部", "en": "all"})


def find_placeholder_names(text: str) -> set[str]:
    return set(_PLACEHOLDER_PATTERN.findall(text))


def fill_placeholders(text: str, allowed: Mapping[str, Placeholder], values: Mapping[str, Any], locale: str) -> str:
    """Replace the placeholders of a text. Names that are not allowed are removed; invalid values get their fallback."""
    if "{" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        placeholder = allowed.get(match.group(1))
        if placeholder is None:
            return ""
        return placeholder.clean(values.get(placeholder.name)) or placeholder.fallback.get(locale, "")

    return _PLACEHOLDER_PATTERN.sub(replacement, text)
