"""Fold what counts as the same spelling into one, and remember where in the text each letter was."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from opencc import OpenCC

_to_simplified = OpenCC("t2s").convert


@dataclass(frozen=True)
class FoldedText:
    """starts, ends: for each character of `folded` the offset in the text at which its letter starts and ends.

    -1 where no letter starts, or ends: a part of a letter is no mention. ends counts the character itself in.
    """

    folded: str
    starts: list[int]
    ends: list[int]


def fold(text: str) -> str:
    """What is the same for all spellings that count as one.

    Without width, case, accents' make, traditional characters and what is not seen.
    """
    return fold_text(text).folded.strip()


def fold_text(text: str) -> FoldedText:
    """A whole text; a run of white space becomes one space."""
    folding = _Folding()
    behind = 0
    for run in _ONE_FOR_ONE.finditer(text):
        folding.add_each(text, behind, run.start())
        folding.add_run(run.group(), run.start())
        behind = run.end()
    folding.add_each(text, behind, len(text))
    return FoldedText("".join(folding.pieces), folding.starts, folding.ends)


# ASCII, Chinese and their marks: each folds into one character and joins no other, so whole runs are folded at once.
_ONE_FOR_ONE = re.compile("[!-~\u3001-\u3003\u3008-\u3011\u4e00-\u9fff\uff01-\uff5e\u2018-\u201d]+")


class _Folding:
    """A folded text in the making."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add_run(self, run: str, start: int) -> None:
        """Characters that fold one for one."""
        self.pieces.append(run.translate(_TABLE))
        self.starts += range(start, start + len(run))
        self.ends += range(start + 1, start + len(run) + 1)

    def add_each(self, text: str, start: int, end: int) -> None:
        """Any characters."""
        for offset in range(start, end):
            folded, is_combining = _fold_character(text[offset])
            if folded:
                self._add(folded, offset, is_combining=is_combining)

    def _add(self, folded: str, offset: int, *, is_combining: bool) -> None:
        if folded == " " and self.pieces and self.pieces[-1] == " ":
            self.ends[-1] = offset + 1
            return
        if is_combining and self.ends:
            # It belongs to the letter before it, whose end it now is.
            self.starts += [-1] * len(folded)
            self.ends[-1] = -1
        else:
            self.starts += [offset, *[-1] * (len(folded) - 1)]
        self.pieces.append(folded)
        self.ends += [*[-1] * (len(folded) - 1), offset + 1]


class _Table(dict[int, str]):
    """For str.translate: looked up once a character, of which there are some 30,000."""

    def __missing__(self, code_point: int) -> str:
        folded = self[code_point] = _fold_character(chr(code_point))[0]
        return folded


_TABLE = _Table()


@lru_cache(maxsize=16384)
def _fold_character(character: str) -> tuple[str, bool]:
    """The folded character, nothing for what is not seen, and whether it belongs to the letter before it.

    Compatibility decomposition finds the same equal as NFKC does, and lets a letter be told from its accents.
    """
    if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return "", False
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    if folded.isspace():
        return " ", False
    # A character at a time: phrases would fold the same name differently in different company.
    folded = "".join(map(_to_simplified, folded))
    return folded, bool(folded) and bool(unicodedata.combining(folded[0]))
