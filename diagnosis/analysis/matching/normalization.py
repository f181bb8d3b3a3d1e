"""Normalize text so that equal spellings become identical, keeping the offsets in the original text."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from opencc import OpenCC

_to_simplified = OpenCC("t2s").convert


@dataclass(frozen=True)
class NormalizedText:
    """For each normalized character, where its original character starts and ends (exclusive).

    An offset is -1 inside an original character that becomes several: a part of a character is no match.
    """

    text: str
    start_offsets: list[int]
    end_offsets: list[int]

    def get_original_range(self, start: int, end: int) -> tuple[int, int]:
        """Return the [start, end) in the original text of a range of the normalized one, which is not empty."""
        return self.start_offsets[start], self.end_offsets[end - 1]


def normalize_spelling(text: str) -> str:
    """Return the text without differences of width, case, composition, traditional and invisible characters."""
    return normalize_text(text).text.strip()


def normalize_text(text: str) -> NormalizedText:
    """Normalize a text; a run of white space becomes one space."""
    builder = _NormalizedTextBuilder()
    position = 0
    for run in _ONE_TO_ONE_RUN.finditer(text):
        builder.add_characters(text, position, run.start())
        builder.add_one_to_one_run(run.group(), run.start())
        position = run.end()
    builder.add_characters(text, position, len(text))
    return NormalizedText("".join(builder.pieces), builder.start_offsets, builder.end_offsets)


# ASCII, Chinese and their punctuation: each becomes exactly one character, so whole runs are translated at once.
_ONE_TO_ONE_RUN = re.compile("[!-~\u3001-\u3003\u3008-\u3011\u4e00-\u9fff\uff01-\uff5e\u2018-\u201d]+")


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
            if not normalized:
                continue
            if normalized == " " and self.pieces and self.pieces[-1] == " ":
                self.end_offsets[-1] = offset + 1
                continue
            if is_combining and self.end_offsets:
                # It belongs to the character before it and is now the end of that.
                self.start_offsets += [-1] * len(normalized)
                self.end_offsets[-1] = -1
            else:
                self.start_offsets += [offset, *[-1] * (len(normalized) - 1)]
            self.pieces.append(normalized)
            self.end_offsets += [*[-1] * (len(normalized) - 1), offset + 1]


class _TranslationTable(dict[int, str]):
    """A table for str.translate that caches each of some 30,000 characters."""

    def __missing__(self, code_point: int) -> str:
        normalized = self[code_point] = _normalize_character(chr(code_point))[0]
        return normalized


_TRANSLATION_TABLE = _TranslationTable()


@lru_cache(maxsize=16384)
def _normalize_character(character: str) -> tuple[str, bool]:
    """Return the normalized character, empty if invisible, and whether it combines with the one before.

    NFKD treats the same characters as equal as NFKC, and separates letters from their accents.
    """
    if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return "", False
    normalized = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if normalized.isspace():
        return " ", False
    # Per character: conversion of phrases would depend on the characters around a name.
    normalized = "".join(map(_to_simplified, normalized))
    return normalized, bool(normalized) and bool(unicodedata.combining(normalized[0]))
