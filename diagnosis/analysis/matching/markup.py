"""Markup around and inside names: Markdown emphasis, HTML tags and entities, escaped characters."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

_EMPHASIS = re.compile(
    r"(?<![\w*~`])(?P<open>\*{1,3}|~~|`{1,2})(?=[^\s*~`])[^\n*~`]{1,200}?(?<=[^\s*~`])(?P=open)(?![*~`])"
    r"|(?P<open2>\*{2,3}|~~)(?=[^\s*~`])[^\n*~`]{1,200}?(?<=[^\s*~`])(?P=open2)(?![*~`])"
    r"|(?<![A-Za-z0-9_])(?P<open3>_{1,3})(?=[^\s_])[^\n_]{1,200}?(?<=[^\s_])(?P=open3)(?![A-Za-z0-9_])"
)
_TAG = re.compile(
    r"</?(?P<tag>a|b|br|code|del|div|em|font|h[1-6]|i|li|mark|ol|p|s|small|span|strong|sub|sup|table|td|th|tr|u|ul)"
    r"\b[^<>\n]{0,200}>",
    re.IGNORECASE,
)
_BLOCK_TAGS = frozenset(
    {"br", "div", "li", "ol", "p", "table", "td", "th", "tr", "ul", *(f"h{level}" for level in range(1, 7))}
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")


class Markup(NamedTuple):
    """Characters at [start, end) that are read as `text`, which is empty for emphasis and inline tags."""

    start: int
    end: int
    text: str


def find_markup(text: str) -> list[Markup]:
    """Return the markup in order, without overlaps."""
    kept: list[Markup] = []
    for item in sorted(_iterate(text)):
        if not kept or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def find_emphasized(text: str) -> list[tuple[int, int]]:
    """Return the [start, end) of emphasized texts, without their markers."""
    return [(match.start() + len(marker), match.end() - len(marker)) for match, marker in _find_emphasis(text)]


def _iterate(text: str) -> Iterator[Markup]:
    for match, marker in _find_emphasis(text):
        yield Markup(match.start(), match.start() + len(marker), "")
        yield Markup(match.end() - len(marker), match.end(), "")
    for match in _TAG.finditer(text) if "<" in text else ():
        yield Markup(match.start(), match.end(), "\n" if match["tag"].lower() in _BLOCK_TAGS else "")
    for match in _ENTITY.finditer(text) if "&" in text else ():
        unescaped = html.unescape(match.group())
        if unescaped != match.group():
            yield Markup(match.start(), match.end(), unescaped)
    for match in _ESCAPE.finditer(text) if "\\" in text else ():
        yield Markup(match.start(), match.end(), "")


def _find_emphasis(text: str) -> Iterator[tuple[re.Match[str], str]]:
    if any(marker in text for marker in "*_~`"):
        for match in _EMPHASIS.finditer(text):
            yield match, match["open"] or match["open2"] or match["open3"]
