"""Find names in normalized text with an automaton of all spellings and decoys; the first, then the longest wins."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ahocorasick

from diagnosis.analysis.matching.gazetteer import Gazetteer, KnownBrand
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling


@dataclass(frozen=True)
class BrandSpellings:
    """A brand and all its spellings."""

    name: str
    spellings: Sequence[str]


@dataclass(frozen=True)
class BrandName:
    """The brand of a spelling. is_tracked: it is in the diagnosis; known_brand: the gazetteer's entry, if any."""

    brand: str
    spelling: str
    is_tracked: bool
    known_brand: KnownBrand | None

    @property
    def is_ambiguous(self) -> bool:
        """Whether the spelling alone does not show that the brand is meant."""
        is_single_han = len(self.spelling) == 1 and "\u3400" <= self.spelling <= "\u9fff"
        return is_single_han or bool(self.known_brand and self.spelling in self.known_brand.ambiguous)


@dataclass(frozen=True)
class NameMatch:
    """A name at [start, end) of the normalized text."""

    name: BrandName
    start: int
    end: int


# A known brand with one of these suffixes is the same brand: 「福特汽车」 is 「福特」.
_GENERIC_SUFFIXES = (
    "汽车 电动车 手机 电器 电脑 家居 家具 卫浴 瓷砖 洗发水 热水器 户外 体育 酒店 地产 集团 公司 网 旅行 快递 乳业"
)
GENERIC_SUFFIXES = frozenset(_GENERIC_SUFFIXES.split())


class NameFinder:
    """Finds the names of the brands of a diagnosis and of all known brands; reused for all its answers."""

    def __init__(self, brands: Sequence[BrandSpellings], gazetteer: Gazetteer) -> None:
        # The user's own spellings take precedence over other known spellings of the same brands.
        brand_by_spelling: dict[str, str] = {}
        for brand in brands:
            for spelling in brand.spellings:
                brand_by_spelling.setdefault(normalize_spelling(spelling), brand.name)
        brand_by_spelling.pop("", None)
        self._tracked_by_known_brand: dict[str, str] = {}
        for spelling, brand_name in brand_by_spelling.items():
            for text in (spelling, *(spelling + suffix for suffix in GENERIC_SUFFIXES)):
                known_brand = gazetteer.by_spelling.get(text)
                if known_brand:
                    self._tracked_by_known_brand.setdefault(known_brand.name, brand_name)
        for other, brand_name in self._tracked_by_known_brand.items():
            for spelling in gazetteer.brands[other].names:
                brand_by_spelling.setdefault(spelling, brand_name)
        self._tracked_names = {
            text: BrandName(name, text, True, gazetteer.by_spelling.get(text))
            for text, name in brand_by_spelling.items()
        }
        self._known_automaton = _build_known_automaton(gazetteer)
        self._tracked_automaton = _build_automaton(
            {text: (name, frozenset()) for text, name in self._tracked_names.items()}
        )

    def find(self, normalized: NormalizedText) -> list[NameMatch]:
        """Return the names in order without overlaps: the one that starts first, then the longest, wins."""
        matches = [
            NameMatch(name, start, end)
            for start, end, name, _of in _find_whole_words(self._tracked_automaton, normalized)
            if name
        ]
        decoys: list[tuple[int, int, frozenset[str]]] = []
        for start, end, name, decoyed_spellings in _find_whole_words(self._known_automaton, normalized):
            if normalized.text[start:end] in self._tracked_names:
                continue  # a spelling given by the user takes precedence
            if decoyed_spellings:
                decoys.append((start, end, decoyed_spellings))
            if name and name.brand not in self._tracked_by_known_brand:
                matches.append(NameMatch(name, start, end))
        kept: list[NameMatch] = []
        for match in sorted(matches, key=lambda match: (match.start, -match.end)):
            if kept and match.start < kept[-1].end:
                continue
            if not any(
                start <= match.start and match.end <= end and match.name.spelling in decoyed_spellings
                for start, end, decoyed_spellings in decoys
            ):
                kept.append(match)
        return kept


PatternMeaning = tuple[BrandName | None, frozenset[str]]
"""The brand that a text names, and the spellings that it contains as a decoy."""


def _build_automaton(meanings: dict[str, PatternMeaning]) -> Any:
    automaton = ahocorasick.Automaton()
    for text, meaning in meanings.items():
        automaton.add_word(text, (len(text), *meaning))
    automaton.make_automaton()
    return automaton


def _find_whole_words(
    automaton: Any, normalized: NormalizedText
) -> Iterator[tuple[int, int, BrandName | None, frozenset[str]]]:
    """Yield (start, end, brand name, decoyed spellings) of whole words."""
    for last, (length, name, decoyed_spellings) in automaton.iter(normalized.text) if len(automaton) else ():
        start, end = last + 1 - length, last + 1
        # A part of a character is no match: 「会社」 in 「㍿」, "x" in "x́".
        if (
            normalized.start_offsets[start] >= 0
            and normalized.end_offsets[last] >= 0
            and is_whole_word(normalized.text, start, end)
        ):
            yield start, end, name, decoyed_spellings


@lru_cache(maxsize=4)
def _build_known_automaton(gazetteer: Gazetteer) -> Any:
    """Return the automaton of all known names and decoys, which is too large to build for each diagnosis."""
    meanings: dict[str, PatternMeaning] = {}
    for brand in gazetteer.brands.values():
        for decoy in brand.decoys:
            decoyed_spellings = frozenset(name for name in brand.names if name in decoy)
            meanings[decoy] = (None, meanings.get(decoy, (None, frozenset()))[1] | decoyed_spellings)
    for spelling, brand in gazetteer.by_spelling.items():
        name = BrandName(brand.name, spelling, is_tracked=False, known_brand=brand)
        meanings[spelling] = (name, meanings.get(spelling, (None, frozenset()))[1])
    return _build_automaton(meanings)


# Latin, Greek and Cyrillic letters, digits, and combining accents; × and ÷ are excluded.
_WORD_CHARACTERS = "a-z0-9\u00df-\u00f6\u00f8-\u02af\u0300-\u036f\u0370-\u052f"
_match_word_character = re.compile(f"[{_WORD_CHARACTERS}]").match
_match_model_number = re.compile(rf"\d{{1,4}}(?![{_WORD_CHARACTERS}])|\d{{1,4}}(?:pro|max|ultra|plus|s|x|i|t|e)").match
MIN_LENGTH_BEFORE_MODEL_NUMBER = 4


def is_whole_word(normalized: str, start: int, end: int) -> bool:
    """Return whether an alphabetic name is a whole word, apart from a model number; Chinese has no word boundary."""
    if start and _match_word_character(normalized[start]) and _match_word_character(normalized[start - 1]):
        return False
    if (
        end == len(normalized)
        or not _match_word_character(normalized[end - 1])
        or not _match_word_character(normalized[end])
    ):
        return True
    # 「iPhone15」 mentions iPhone; 「how2」 may be anything.
    may_precede_number = end - start >= MIN_LENGTH_BEFORE_MODEL_NUMBER and not normalized[end - 1].isdigit()
    return may_precede_number and bool(_match_model_number(normalized, end))
