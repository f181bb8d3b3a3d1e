"""Find the brands that a text mentions.

Width, case and traditional characters are normalized; the longest name wins; an alphabetic name must be a whole word;
text inside a URL is ignored; an ambiguous name counts if its context shows that the brand is meant.

The rules are in `matching/`: `normalization`, `names`, `web_addresses` and `disambiguation`; the known brands are in
`brands.toml`.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from diagnosis.analysis.matching.disambiguation import MatchContext, Sense, classify_senses
from diagnosis.analysis.matching.discovery import NamedRange, discover_brands
from diagnosis.analysis.matching.gazetteer import Gazetteer, get_gazetteer
from diagnosis.analysis.matching.lexicon import Segmentation
from diagnosis.analysis.matching.names import BrandSpellings, NameFinder, NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling, normalize_text
from diagnosis.analysis.matching.structure import find_groups
from diagnosis.analysis.matching.web_addresses import Address, find_addresses, get_cited_domains

# Increment when `analyse_text` finds other mentions in the same text: rates of different versions are not compared.
MATCHER_VERSION = 1

__all__ = [
    "MATCHER_VERSION",
    "BrandSpellings",
    "Mention",
    "TextAnalysis",
    "analyse_text",
    "compact_text",
    "find_differing_spellings",
    "find_mentions",
    "normalize_spelling",
]


@dataclass(frozen=True)
class Mention:
    """A mention at [start, end), in code points of the original text.

    is_certain: False if the name may be an ordinary word, which only the user can decide.
    """

    brand: str
    start: int
    end: int
    is_certain: bool = True


@dataclass(frozen=True)
class TextAnalysis:
    """The findings in a text.

    others: known brands outside the diagnosis; discovered: guesses from the text's structure; domains: cited hosts.
    """

    mentions: list[Mention]
    others: list[str]
    discovered: list[str]
    domains: list[str]


def find_mentions(text: str, brands: Iterable[BrandSpellings], question: str = "") -> list[Mention]:
    """Return the certain mentions in order.

    Where names overlap, the one that starts first and is longest wins; a spelling of two brands counts for the first.
    The question helps to decide ambiguous names.
    """
    return [mention for mention in analyse_text(text, brands, question).mentions if mention.is_certain]


def analyse_text(text: str, brands: Iterable[BrandSpellings], question: str = "") -> TextAnalysis:
    """Return the mentions of the brands, other brands, known or guessed, and the cited domains."""
    gazetteer = get_gazetteer()
    finder = _get_name_finder(brands, gazetteer)
    normalized = normalize_text(text)
    addresses = find_addresses(text)
    matches = [match for match in finder.find(normalized) if not _is_inside_address(match, addresses, normalized)]
    groups = find_groups(text)
    context = MatchContext(
        normalized,
        matches,
        normalize_spelling(question),
        gazetteer,
        groups,
        Segmentation(normalized.text),
    )
    found = [(match, sense) for match, sense in zip(matches, classify_senses(context), strict=True)]
    known = [
        NamedRange(*normalized.get_original_range(match.start, match.end), is_certain=sense is Sense.BRAND)
        for match, sense in found
        if match.name.is_tracked or sense is Sense.BRAND
    ]
    known += [NamedRange(address.start, address.end, is_certain=False) for address in addresses]
    known.sort(key=lambda one: one.start)
    return TextAnalysis(
        [
            Mention(match.name.brand, *normalized.get_original_range(match.start, match.end), sense is Sense.BRAND)
            for match, sense in found
            if match.name.is_tracked and sense is not Sense.WORD
        ],
        list(dict.fromkeys(match.name.brand for match, sense in found if _is_other_brand(match, sense))),
        discover_brands(text, groups, known, question),
        get_cited_domains(addresses),
    )


def _is_other_brand(match: NameMatch, sense: Sense) -> bool:
    return not match.name.is_tracked and sense is Sense.BRAND


def find_differing_spellings(before: Iterable[BrandSpellings], after: Iterable[BrandSpellings]) -> set[str]:
    """Return the spellings whose meaning a change of brands changes: a text without any is read as before."""
    gazetteer = get_gazetteer()
    return _get_name_finder(before, gazetteer).find_differing_spellings(_get_name_finder(after, gazetteer))


def compact_text(text: str) -> str:
    """Return the normalized text without separators: one that contains a name also contains it so."""
    return re.sub(r"[\W_]+", "", normalize_spelling(text))


def _get_name_finder(brands: Iterable[BrandSpellings], gazetteer: Gazetteer) -> NameFinder:
    return _build_name_finder(tuple((brand.name, tuple(brand.spellings)) for brand in brands), gazetteer)


@lru_cache(maxsize=64)
def _build_name_finder(brands: tuple[tuple[str, tuple[str, ...]], ...], gazetteer: Gazetteer) -> NameFinder:
    return NameFinder([BrandSpellings(name, spellings) for name, spellings in brands], gazetteer)


def _is_inside_address(match: NameMatch, addresses: Sequence[Address], normalized: NormalizedText) -> bool:
    """Return whether the match is a part of an address. One that is the whole address ("Booking.com") is not."""
    start, end = normalized.get_original_range(match.start, match.end)
    # The last address that starts before the match ends.
    index = bisect_left(addresses, end, key=lambda address: address.start)
    address = addresses[index - 1] if index else None
    return address is not None and start < address.end and not (start <= address.start and address.end <= end)
