"""The ways in which one name is written: with and without the separators between its parts.

"Coca-Cola" is also "Coca Cola" and "CocaCola", "SK-II" also "SK2", "Dr. Martens" also "Dr.Martens". A part begins after
a separator, at a change of case, and where letters, digits and Chinese characters meet.
"""

import re
from dataclasses import dataclass

from diagnosis.analysis.matching.lexicon import is_english_word
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling

_SEPARATORS = re.compile(r"(?<=\w)(?:[ .'·_-]|\. | ?- ?| · )(?=\w)")
_PART_START = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z0-9])(?=[\u3400-\u9fff])"
    r"|(?<=[\u3400-\u9fff])(?=[A-Za-z0-9])"
)
_ROMAN_NUMERALS = {"ii": "2", "iii": "3", "iv": "4"}
MIN_JOINED_LENGTH = 4  # of a name written without its separators; "A.P.C." is not "APC"


@dataclass(frozen=True)
class JoinedSpelling:
    """A normalized spelling without separators.

    parts: indices where a part begins; added: those of them without a separator.
    """

    text: str
    parts: frozenset[int]
    added: frozenset[int]


def get_joined_spelling(spelling: str) -> JoinedSpelling | None:
    """Return the joined form of a spelling; None if the name consists of one part, or joined is another word."""
    spaced = _PART_START.sub("\0", spelling)
    parts, added, text = set(), set(), ""
    for index, piece in enumerate(spaced.split("\0")):
        normalized = normalize_spelling(piece)
        if index:
            parts.add(len(text))
            added.add(len(text))
        for number, part in enumerate(_SEPARATORS.split(normalized)):
            if number:
                parts.add(len(text))
            text += part
    is_short = len(text) < MIN_JOINED_LENGTH and not any(character.isdigit() for character in text)
    if not parts or is_short or not re.fullmatch(r"[\w+&!]+", text) or is_english_word(text):
        return None
    return JoinedSpelling(text, frozenset(parts), frozenset(added))


def get_other_spellings(spelling: str) -> list[str]:
    """Return spellings that differ by more than separators: "SK2" of "SK-II", "and" for "&"."""
    others = []
    head, separator, tail = spelling.rpartition("-" if "-" in spelling else " ")
    if head and tail.lower() in _ROMAN_NUMERALS:
        others.append(f"{head}{separator}{_ROMAN_NUMERALS[tail.lower()]}")
    if " & " in spelling:
        others.append(spelling.replace(" & ", " and "))
    return others


@dataclass(frozen=True)
class JoinedText:
    """A normalized text without the separators between its words. offsets: positions in the normalized text."""

    text: str
    offsets: list[int]

    def get_range(self, start: int, end: int) -> tuple[int, int]:
        """Return the [start, end) in the normalized text."""
        return self.offsets[start], self.offsets[end - 1] + 1

    def spells(self, joined: JoinedSpelling, start: int, normalized: NormalizedText) -> bool:
        """Return whether the separators of the text at a match stand where a part of the name begins."""
        for index in range(1, len(joined.text)):
            before, after = self.offsets[start + index - 1], self.offsets[start + index]
            if after == before + 1:
                continue
            if index not in joined.parts:
                return False
            if index in joined.added and normalized.get_original(after, after + 1).islower():
                return False  # "One Plus" is OnePlus, "one plus" is not
        return True


def join_text(normalized: NormalizedText) -> JoinedText | None:
    """Return the text without separators between words; None if it has none."""
    text, position = normalized.text, 0
    pieces: list[str] = []
    offsets: list[int] = []
    for separator in _SEPARATORS.finditer(text):
        pieces.append(text[position : separator.start()])
        offsets += range(position, separator.start())
        position = separator.end()
    if not position:
        return None
    return JoinedText("".join([*pieces, text[position:]]), [*offsets, *range(position, len(text))])
