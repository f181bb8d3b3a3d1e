"""Find brands in an answer: width and case folded, longest name first, alphabetic names only as whole words."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class BrandNames:
    """A brand and every spelling that counts as naming it."""

    name: str
    spellings: Sequence[str]


@dataclass(frozen=True)
class Mention:
    """`start` and `end` are offsets in code points of the answer as it was given."""

    brand: str
    start: int
    end: int


def find_mentions(text: str, brands: Iterable[BrandNames]) -> list[Mention]:
    """All mentions in order of their place; where spellings overlap, the one that starts first and is longest wins.

    A spelling that two brands claim is the first brand's.
    """
    owners: dict[str, str] = {}
    for brand in brands:
        for spelling in brand.spellings:
            owners.setdefault(fold(spelling), brand.name)
    owners.pop("", None)
    return list(_mentions(text, owners)) if owners else []


def _mentions(text: str, owners: dict[str, str]) -> Iterator[Mention]:
    pattern = re.compile("|".join(_whole_word(spelling) for spelling in sorted(owners, key=len, reverse=True)))
    letters = _fold_letters(text)
    # Where in the text a letter starts and ends, by its place in the folded text: a part of a letter is no mention.
    starts, ends, place = {}, {}, 0
    for letter in letters:
        starts[place] = letter.start
        place += len(letter.folded)
        ends[place] = letter.end
    folded = "".join(letter.folded for letter in letters)
    match = pattern.search(folded)
    while match:
        first, behind = match.span()
        if first in starts and behind in ends:
            yield Mention(owners[match.group()], starts[first], ends[behind])
        else:
            behind = first + 1
        match = pattern.search(folded, behind)


@dataclass(frozen=True)
class _Letter:
    """A character with the accents that follow it, folded, and its place in the text."""

    folded: str
    start: int
    end: int


def fold(text: str) -> str:
    """What is the same for all spellings that count as one: without width, case, accents' make and what is not seen."""
    return "".join(letter.folded for letter in _fold_letters(text)).strip()


def _fold_letters(text: str) -> list[_Letter]:
    letters: list[_Letter] = []
    for offset, character in enumerate(text):
        folded = _fold_character(character)
        last = letters[-1] if letters else None
        if last and folded and unicodedata.combining(folded[0]):
            letters[-1] = _Letter(last.folded + folded, last.start, offset + 1)
        elif last and folded == last.folded == " ":
            letters[-1] = _Letter(" ", last.start, offset + 1)
        elif folded:
            letters.append(_Letter(folded, offset, offset + 1))
    return letters


@lru_cache(maxsize=8192)
def _fold_character(character: str) -> str:
    """Without width, case and the difference between composed and decomposed; nothing for what is not seen."""
    if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return " " if folded.isspace() else folded


# Latin, Greek and Cyrillic letters, digits, and the accents that decomposed letters end in; × and ÷ are none of them.
_IN_WORDS = "a-z0-9\u00df-\u00f6\u00f8-\u02af\u0300-\u036f\u0370-\u052f"


def _whole_word(spelling: str) -> str:
    """An alphabetic name must not sit inside a longer word; a Chinese name has no word boundary."""
    before = f"(?<![{_IN_WORDS}])" if re.match(f"[{_IN_WORDS}]", spelling) else ""
    after = f"(?![{_IN_WORDS}])" if re.search(f"[{_IN_WORDS}]$", spelling) else ""
    return f"{before}{re.escape(spelling)}{after}"
