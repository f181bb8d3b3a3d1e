"""Normalize text so that equal spellings become identical, keeping the offsets in the original text.

Folded are width, case, accents of Latin letters, traditional characters, kinds of dashes, apostrophes, quotation marks
and middle dots, trade mark signs, invisible characters and markup.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from opencc import OpenCC

from diagnosis.analysis.matching.markup import find_markup

_to_simplified = OpenCC("t2s").convert


@dataclass(frozen=True)
class NormalizedText:
    """For each normalized character, where its original character starts and ends (exclusive).

    An offset is -1 inside an original character that becomes several: a part of a character is no match.
    """

    text: str
    start_offsets: list[int]
    end_offsets: list[int]
    original: str = field(default="", repr=False)

    def get_original_range(self, start: int, end: int) -> tuple[int, int]:
        """Return the [start, end) in the original text of a range of the normalized one, which is not empty."""
        return self.start_offsets[start], self.end_offsets[end - 1]

    def get_original(self, start: int, end: int) -> str:
        """Return the original characters of a range of the normalized text."""
        return self.original[slice(*self.get_original_range(start, end))] if start < end else ""


def normalize_spelling(text: str) -> str:
    """Return the text with everything folded that does not distinguish brands."""
    return normalize_text(text).text.strip()


def normalize_text(text: str) -> NormalizedText:
    """Normalize a text; a run of white space becomes one space."""
    builder = _NormalizedTextBuilder()
    position = 0
    for markup in find_markup(text):
        _add_plain(builder, text, position, markup.start)
        builder.add_replacement(markup.text, markup.start, markup.end)
        position = markup.end
    _add_plain(builder, text, position, len(text))
    return NormalizedText("".join(builder.pieces), builder.start_offsets, builder.end_offsets, text)


# ASCII, Chinese and their punctuation: each becomes exactly one character, so whole runs are translated at once.
_ONE_TO_ONE_RUN = re.compile("[!-~\u3001-\u3003\u3008-\u3011\u4e00-\u9fff\uff01-\uff5e\u2018-\u201d]+")


def _add_plain(builder: "_NormalizedTextBuilder", text: str, start: int, end: int) -> None:
    position = start
    for run in _ONE_TO_ONE_RUN.finditer(text, start, end):
        builder.add_characters(text, position, run.start())
        builder.add_one_to_one_run(run.group(), run.start())
        position = run.end()
    builder.add_characters(text, position, end)


class _NormalizedTextBuilder:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.start_offsets: list[int] = []
        self.end_offsets: list[int] = []

    def add_one_to_one_run(self, run: str, start: int) -> None:
        """Add characters that become one character each."""
        self.pieces.append(run.translate(_TRANSLATION_TABLE))
        self.start_offsets += range(start, start + len(run))
        self.end_offsets += range(start + 1, start + len(run) + 1)

    def add_characters(self, text: str, start: int, end: int) -> None:
        """Add any characters."""
        for offset in range(start, end):
            normalized, is_combining = _normalize_character(text[offset])
            self._add(normalized, is_combining, offset, offset + 1)

    def add_replacement(self, replacement: str, start: int, end: int) -> None:
        """Add a replacement of the characters at [start, end)."""
        characters = [_normalize_character(character) for character in replacement]
        self._add("".join(normalized for normalized, _is_combining in characters), False, start, end)

    def _add(self, normalized: str, is_combining: bool, start: int, end: int) -> None:
        if not normalized:
            if is_combining and self.pieces and _is_latin(self.pieces[-1][-1]):
                self.end_offsets[-1] = end  # an accent belongs to its letter
            return
        if normalized == " " and self.pieces and self.pieces[-1] == " ":
            self.end_offsets[-1] = end
            return
        if is_combining and self.end_offsets:
            # It belongs to the character before it and is now the end of that.
            self.start_offsets += [-1] * len(normalized)
            self.end_offsets[-1] = -1
        else:
            self.start_offsets += [start, *[-1] * (len(normalized) - 1)]
        self.pieces.append(normalized)
        self.end_offsets += [*[-1] * (len(normalized) - 1), end]


class _TranslationTable(dict[int, str]):
    """A table for str.translate that caches each of some 30,000 characters."""

    def __missing__(self, code_point: int) -> str:
        normalized = self[code_point] = _normalize_character(chr(code_point))[0]
        return normalized


_TRANSLATION_TABLE = _TranslationTable()

# Characters that Unicode does not decompose or regard as equal, but writers do.
_FOLDED = (
    dict.fromkeys("'‘’‚‛ʹʻʼʽˈˊˋ′‵´`＇ꞌ", "'")
    | dict.fromkeys('"“”„‟″‶〃＂', '"')
    | dict.fromkeys("·•‧∙⋅・･᛫⸱ꞏ", "·")
    | dict.fromkeys("−⁃˗➖", "-")  # beside Unicode's own category of dashes
    | {"ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "đ": "d", "Đ": "d"}
    | dict.fromkeys("™®©℠℗", "")
)
# Of no width, but of other categories than Cf.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


@lru_cache(maxsize=16384)
def _normalize_character(character: str) -> tuple[str, bool]:
    """Return the normalized character, empty if invisible, and whether it combines with the one before.

    NFKD treats the same characters as equal as NFKC, and separates letters from their accents.
    """
    if character in _FOLDED:
        return _FOLDED[character], False
    category = unicodedata.category(character)
    is_variation_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    if category == "Cf" or character in _INVISIBLE or is_variation_selector:
        return "", False
    if category == "Pd":
        return "-", False
    if category == "Cs":
        return "\ufffd", False  # a lone surrogate, which has no encoding
    if "\u0300" <= character <= "\u036f":
        return "", True
    normalized = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if normalized.isspace():
        return " ", False
    if _is_latin(normalized[:1]):
        normalized = "".join(letter for letter in normalized if not "\u0300" <= letter <= "\u036f")
    # Per character: conversion of phrases would depend on the characters around a name.
    normalized = "".join(map(_to_simplified, normalized))
    return normalized, bool(normalized) and bool(unicodedata.combining(normalized[0]))


def _is_latin(character: str) -> bool:
    return "a" <= character <= "z" or "\u00df" <= character <= "\u02af"
