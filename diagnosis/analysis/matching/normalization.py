"""Fold what counts as the same spelling into one, and remember where in the text each letter was."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from opencc import OpenCC

_to_simplified = OpenCC("t2s").convert


@dataclass(frozen=True)
class NormalizedText:
    """starts, ends: for each character of `folded` the offset in the text at which its letter starts and ends.

    -1 where no letter starts, or ends: a part of a letter is no mention. ends counts the character itself in.
    """

    normalized: str
    start_offsets: list[int]
    end_offsets: list[int]


def normalize_spelling(text: str) -> str:
    """What is the same for all spellings that count as one.

    Without width, case, accents' make, traditional characters and what is not seen.
    """
    return normalize_text(text).normalized.strip()


def normalize_text(text: str) -> NormalizedText:
    """A whole text; a run of white space becomes one space."""
    builder = _NormalizedTextBuilder()
    position = 0
    for run in _ONE_TO_ONE_RUN.finditer(text):
        builder.add_characters(text, position, run.start())
        builder.add_one_to_one_run(run.group(), run.start())
        position = run.end()
    builder.add_characters(text, position, len(text))
    return NormalizedText("".join(builder.pieces), builder.start_offsets, builder.end_offsets)


# ASCII, Chinese and their marks: each folds into one character and joins no other, so whole runs are folded at once.
_ONE_TO_ONE_RUN = re.compile("[!-~\u3001-\u3003\u3008-\u3011\u4e00-\u9fff\uff01-\uff5e\u2018-\u201d]+")


class _NormalizedTextBuilder:
    """A folded text in the making."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.start_offsets: list[int] = []
        self.end_offsets: list[int] = []

    def add_one_to_one_run(self, run: str, start: int) -> None:
        """Characters that fold one for one."""
        self.pieces.append(run.translate(_TRANSLATION_TABLE))
        self.start_offsets += range(start, start + len(run))
        self.end_offsets += range(start + 1, start + len(run) + 1)

    def add_characters(self, text: str, start: int, end: int) -> None:
        """Any characters."""
        for offset in range(start, end):
            normalized, is_combining = _normalize_character(text[offset])
            if normalized:
                self._add(normalized, offset, is_combining=is_combining)

    def _add(self, normalized: str, offset: int, *, is_combining: bool) -> None:
        if normalized == " " and self.pieces and self.pieces[-1] == " ":
            self.end_offsets[-1] = offset + 1
            return
        if is_combining and self.end_offsets:
            # It belongs to the letter before it, whose end it now is.
            self.start_offsets += [-1] * len(normalized)
            self.end_offsets[-1] = -1
        else:
            self.start_offsets += [offset, *[-1] * (len(normalized) - 1)]
        self.pieces.append(normalized)
        self.end_offsets += [*[-1] * (len(normalized) - 1), offset + 1]


class _TranslationTable(dict[int, str]):
    """For str.translate: looked up once a character, of which there are some 30,000."""

    def __missing__(self, code_point: int) -> str:
        normalized = self[code_point] = _normalize_character(chr(code_point))[0]
        return normalized


_TRANSLATION_TABLE = _TranslationTable()


@lru_cache(maxsize=16384)
def _normalize_character(character: str) -> tuple[str, bool]:
    """The folded character, nothing for what is not seen, and whether it belongs to the letter before it.

    Compatibility decomposition finds the same equal as NFKC does, and lets a letter be told from its accents.
    """
    if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return "", False
    normalized = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if normalized.isspace():
        return " ", False
    # A character at a time: phrases would fold the same name differently in different company.
    normalized = "".join(map(_to_simplified, normalized))
    return normalized, bool(normalized) and bool(unicodedata.combining(normalized[0]))
