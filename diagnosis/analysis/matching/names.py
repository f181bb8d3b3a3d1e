"""Find names in normalized text with automata of all spellings and decoys; the first, then the longest wins."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from diagnosis.analysis.matching.automaton import Automaton
from diagnosis.analysis.matching.boundaries import COMPANY_SUFFIXES, is_name_in_text
from diagnosis.analysis.matching.gazetteer import Gazetteer, KnownBrand
from diagnosis.analysis.matching.lexicon import Ambiguity, get_ambiguity
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling
from diagnosis.analysis.matching.spellings import (
    JoinedSpelling,
    JoinedText,
    get_joined_spelling,
    get_other_spellings,
    join_text,
)

# "On Running" is the brand "On", if the list of known brands has it.
_LATIN_SUFFIXES = (" auto", " coffee", " electronics", " foods", " group", " hotel", " hotels", " motors", " running")
MAX_MATCHES = 500  # in one text, so that a repetition costs no more than an answer
MAX_ACRONYM_LENGTH = 3  # such names are also abbreviations and units: MG, MAC


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
    written: str = field(default="", compare=False)

    @cached_property
    def ambiguity(self) -> Ambiguity:
        """Whether the spelling alone shows that the brand is meant. The list of known brands is trusted first."""
        if self.known_brand and self.spelling in self.known_brand.ambiguous:
            return Ambiguity.WORD
        if re.fullmatch(r"\d+[天度]?", self.spelling) and not self.known_brand:
            return Ambiguity.WORD
        has_accents = self.spelling.isascii() and not unicodedata.normalize("NFKC", self.written).isascii()
        ambiguity = Ambiguity.NONE if has_accents else get_ambiguity(self.spelling)  # Nestlé is not to nestle
        if self.known_brand and ambiguity not in (Ambiguity.WORD, Ambiguity.PERSON):
            return Ambiguity.NONE
        is_acronym = len(self.spelling) <= MAX_ACRONYM_LENGTH and self.written.isascii() and self.written.isupper()
        return max(ambiguity, Ambiguity.POSSIBLE) if is_acronym else ambiguity

    @property
    def is_ambiguous(self) -> bool:
        return self.ambiguity is not Ambiguity.NONE


class NameMatch(NamedTuple):
    """A name at [start, end) of the normalized text."""

    name: BrandName
    start: int
    end: int


class NameFinder:
    """Finds the names of the brands of a diagnosis and of all known brands; reused for all its answers."""

    def __init__(self, brands: Sequence[BrandSpellings], gazetteer: Gazetteer) -> None:
        # The user's own spellings take precedence over other known spellings of the same brands.
        spellings: dict[str, tuple[str, str]] = {}
        for brand in brands:
            for written in brand.spellings:
                for spelling in (written, *get_other_spellings(written)):
                    spellings.setdefault(normalize_spelling(spelling), (brand.name, spelling))
        spellings.pop("", None)
        self._tracked_by_known_brand: dict[str, str] = {}
        for spelling, (brand_name, _written) in spellings.items():
            for text in (spelling, *(spelling + suffix for suffix in (*COMPANY_SUFFIXES, *_LATIN_SUFFIXES))):
                known_brand = gazetteer.by_spelling.get(text)
                if known_brand:
                    self._tracked_by_known_brand.setdefault(known_brand.name, brand_name)
        for other, brand_name in self._tracked_by_known_brand.items():
            for written in gazetteer.brands[other].written_names:
                spellings.setdefault(normalize_spelling(written), (brand_name, written))
        names = {
            text: BrandName(name, text, True, gazetteer.by_spelling.get(text), written)
            for text, (name, written) in spellings.items()
        }
        self._tracked = _Patterns(names.values())
        self._known = _build_known_patterns(gazetteer)

    def find_differing_spellings(self, other: "NameFinder") -> set[str]:
        """Return the normalized spellings that only one of them finds, or each for another brand."""
        own, others = (
            {(name.spelling, name.brand, name.written) for name in one._tracked.names.values()} for one in (self, other)
        )
        return {spelling for spelling, _brand, _written in own ^ others}

    def find(self, normalized: NormalizedText) -> list[NameMatch]:
        """Return the names in order without overlaps: the one that starts first, then the longest, wins.

        At most MAX_MATCHES.
        """
        joined = join_text(normalized)
        matches = list(self._tracked.find(normalized, joined))
        matches += [
            match
            for match in self._known.find(normalized, joined)
            if match.name.brand not in self._tracked_by_known_brand
            and normalized.text[match.start : match.end] not in self._tracked.names
        ]
        decoys = _Decoys(
            decoy for decoy in self._known.find_decoys(normalized) if decoy.text not in self._tracked.names
        )
        kept: list[NameMatch] = []
        for match in sorted(matches, key=lambda match: (match.start, -match.end, not match.name.is_tracked)):
            is_free = not kept or match.start >= kept[-1].end
            if is_free and _is_name(normalized, match.start, match.end) and not decoys.cover(match):
                kept.append(match)
            if len(kept) == MAX_MATCHES:
                break
        return kept


class _Decoy(NamedTuple):
    start: int
    end: int
    text: str
    spellings: frozenset[str]


class _Decoys:
    """The decoys of a text, to be asked for by position."""

    def __init__(self, decoys: Iterable[_Decoy]) -> None:
        self._decoys = sorted(decoys, key=lambda decoy: decoy.start)
        self._starts = [decoy.start for decoy in self._decoys]
        self._longest = max((decoy.end - decoy.start for decoy in self._decoys), default=0)

    def cover(self, match: NameMatch) -> bool:
        """Return whether a match is a part of a phrase that never means the brand."""
        first = bisect_left(self._starts, match.end - self._longest)
        last = bisect_right(self._starts, match.start)
        return any(
            match.end <= decoy.end and match.name.spelling in decoy.spellings for decoy in self._decoys[first:last]
        )


class _Patterns:
    """Automata of names as written, of names without separators, and of decoys."""

    def __init__(self, names: Iterable[BrandName], decoys: dict[str, frozenset[str]] | None = None) -> None:
        self.names = {name.spelling: name for name in names}
        self._exact = Automaton(self.names)
        joined: dict[str, tuple[BrandName, JoinedSpelling]] = {}
        for name in self.names.values():
            spelling = get_joined_spelling(name.written)
            if spelling:
                joined.setdefault(spelling.text, (name, spelling))
        self._joined = Automaton(joined)
        self._decoys = Automaton(decoys or {})

    def find(self, normalized: NormalizedText, joined: JoinedText | None) -> Iterator[NameMatch]:
        """Yield where names are spelled in a text, in any order, overlaps and parts of words included."""
        for start, end, name in self._exact.find(normalized.text):
            yield NameMatch(name, start, end)
        for first, last, (name, spelling) in self._joined.find(joined.text if joined else normalized.text):
            start, end = joined.get_range(first, last) if joined else (first, last)
            is_spelled = joined is None or joined.spells(spelling, first, normalized)
            if is_spelled and normalized.text[start:end] not in self.names:
                yield NameMatch(name, start, end)

    def find_decoys(self, normalized: NormalizedText) -> Iterator[_Decoy]:
        """Yield the phrases that never mean a brand."""
        for start, end, spellings in self._decoys.find(normalized.text):
            if _is_name(normalized, start, end):
                yield _Decoy(start, end, normalized.text[start:end], spellings)


def _is_name(normalized: NormalizedText, start: int, end: int) -> bool:
    # A part of a character is no match: 「会社」 in 「㍿」.
    is_complete = normalized.start_offsets[start] >= 0 and normalized.end_offsets[end - 1] >= 0
    return is_complete and is_name_in_text(normalized, start, end)


@lru_cache(maxsize=4)
def _build_known_patterns(gazetteer: Gazetteer) -> _Patterns:
    """Return the patterns of all known names and decoys, which are too many to build for each diagnosis."""
    decoys: dict[str, frozenset[str]] = {}
    for brand in gazetteer.brands.values():
        for decoy in brand.decoys:
            decoys[decoy] = decoys.get(decoy, frozenset()) | {name for name in brand.names if name in decoy}
    written = {normalize_spelling(text): text for brand in gazetteer.brands.values() for text in brand.written_names}
    return _Patterns(
        [
            BrandName(brand.name, spelling, is_tracked=False, known_brand=brand, written=written[spelling])
            for spelling, brand in gazetteer.by_spelling.items()
        ],
        decoys,
    )
