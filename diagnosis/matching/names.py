"""Names in folded text: one automaton over all spellings and decoys, whole words, the first and then the longest."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ahocorasick

from diagnosis.matching.folding import FoldedText, fold
from diagnosis.matching.knowledge import Knowledge, KnownBrand


@dataclass(frozen=True)
class BrandNames:
    """A brand and every spelling that counts as naming it."""

    name: str
    spellings: Sequence[str]


@dataclass(frozen=True)
class Name:
    """Whom a spelling names. is_wanted: one of the diagnosis's own brands. known: what is known of the spelling."""

    brand: str
    spelling: str
    is_wanted: bool
    known: KnownBrand | None

    @property
    def is_ambiguous(self) -> bool:
        """Whether the spelling alone does not tell that the brand is meant."""
        is_one_han = len(self.spelling) == 1 and "\u3400" <= self.spelling <= "\u9fff"
        return is_one_han or bool(self.known and self.spelling in self.known.ambiguous)


@dataclass(frozen=True)
class Hit:
    """A name at [start, end) of the folded text."""

    name: Name
    start: int
    end: int


# Behind a brand's name these change nothing: a known 「福特汽车」 is the user's 「福特」.
_KINDS = "汽车 电动车 手机 电器 电脑 家居 家具 卫浴 瓷砖 洗发水 热水器 户外 体育 酒店 地产 集团 公司 网 旅行 快递 乳业"
KINDS = frozenset(_KINDS.split())


class NameFinder:
    """Finds the names of some brands and of all known ones; made once for a diagnosis, used for each of its answers."""

    def __init__(self, brands: Sequence[BrandNames], known: Knowledge) -> None:
        self._wanted, same = _names_of(brands, known)
        self._others = _known_names(known)
        self._same = same
        self._automaton = _automaton({text: (name, frozenset()) for text, name in self._wanted.items()})

    def find(self, text: FoldedText) -> list[Hit]:
        """All names, in order and apart; where they overlap, the one that starts first and is longest counts."""
        hits = [Hit(name, start, end) for start, end, name, _of in _places(self._automaton, text) if name]
        decoys: list[tuple[int, int, frozenset[str]]] = []
        for start, end, name, decoy_of in _places(self._others, text):
            if text.folded[start:end] in self._wanted:
                continue  # what the user calls a brand is one, whatever else it is
            if decoy_of:
                decoys.append((start, end, decoy_of))
            if name and name.brand not in self._same:
                hits.append(Hit(name, start, end))
        return list(_apart(hit for hit in hits if not _is_decoy(hit, decoys)))


Meaning = tuple[Name | None, frozenset[str]]
"""Whom a text names, and the spellings that it holds without naming anybody."""


def _automaton(meanings: dict[str, Meaning]) -> Any:
    automaton = ahocorasick.Automaton()
    for text, meaning in meanings.items():
        automaton.add_word(text, (len(text), *meaning))
    automaton.make_automaton()
    return automaton


def _places(automaton: Any, text: FoldedText) -> Iterator[tuple[int, int, Name | None, frozenset[str]]]:
    """(start, end, whom it names, what it is a decoy of) of whole words only."""
    for last, (length, name, decoy_of) in automaton.iter(text.folded) if len(automaton) else ():
        start, end = last + 1 - length, last + 1
        # A part of a letter is no name: 「会社」 in 「㍿」, "x" in "x́".
        if text.starts[start] >= 0 and text.ends[last] >= 0 and is_whole_word(text.folded, start, end):
            yield start, end, name, decoy_of


@lru_cache(maxsize=4)
def _known_names(known: Knowledge) -> Any:
    """The automaton of all known names and decoys: the same for every diagnosis, and too large to make for each."""
    meanings: dict[str, Meaning] = {}
    for brand in known.brands.values():
        for decoy in brand.decoys:
            held = frozenset(name for name in brand.names if name in decoy)
            meanings[decoy] = (None, meanings.get(decoy, (None, frozenset()))[1] | held)
    for spelling, brand in known.by_spelling.items():
        name = Name(brand.name, spelling, is_wanted=False, known=brand)
        meanings[spelling] = (name, meanings.get(spelling, (None, frozenset()))[1])
    return _automaton(meanings)


def _is_decoy(hit: Hit, decoys: list[tuple[int, int, frozenset[str]]]) -> bool:
    return any(start <= hit.start and hit.end <= end and hit.name.spelling in of for start, end, of in decoys)


def _apart(hits: Iterator[Hit]) -> Iterator[Hit]:
    behind = 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.start >= behind:
            behind = hit.end
            yield hit


def _names_of(brands: Sequence[BrandNames], known: Knowledge) -> tuple[dict[str, Name], dict[str, str]]:
    """{folded spelling: whom it names}, {known brand: the diagnosis's brand that it is}.

    The user's own spellings come first, then the other spellings that are known of their brands.
    """
    owners: dict[str, str] = {}
    for brand in brands:
        for spelling in brand.spellings:
            owners.setdefault(fold(spelling), brand.name)
    owners.pop("", None)
    same = _known_as(owners, known)
    for other, brand_name in same.items():
        for spelling in known.brands[other].names:
            owners.setdefault(spelling, brand_name)
    return {text: Name(brand, text, True, known.by_spelling.get(text)) for text, brand in owners.items()}, same


def _known_as(owners: dict[str, str], known: Knowledge) -> dict[str, str]:
    """{known brand: the diagnosis's brand that it is}."""
    same: dict[str, str] = {}
    for spelling, brand in owners.items():
        for text in (spelling, *(spelling + kind for kind in KINDS)):
            found = known.by_spelling.get(text)
            if found:
                same.setdefault(found.name, brand)
    return same


# Latin, Greek and Cyrillic letters, digits, and the accents that decomposed letters end in; × and ÷ are none of them.
_IN_WORDS = "a-z0-9\u00df-\u00f6\u00f8-\u02af\u0300-\u036f\u0370-\u052f"
_in_word = re.compile(f"[{_IN_WORDS}]").match
_model_number = re.compile(rf"\d{{1,4}}(?![{_IN_WORDS}])|\d{{1,4}}(?:pro|max|ultra|plus|s|x|i|t|e)").match
LEAST_BEFORE_NUMBER = 4


def is_whole_word(folded: str, start: int, end: int) -> bool:
    """An alphabetic name must not sit inside a longer word, but for a model's number; a Chinese one has no boundary."""
    if start and _in_word(folded[start]) and _in_word(folded[start - 1]):
        return False
    if end == len(folded) or not _in_word(folded[end - 1]) or not _in_word(folded[end]):
        return True
    # 「iPhone15」 is an iPhone; 「how2」 may be anything.
    is_name = end - start >= LEAST_BEFORE_NUMBER and not folded[end - 1].isdigit()
    return is_name and bool(_model_number(folded, end))
