"""Find brands in an answer.

Width, case and traditional characters make no difference; the longest name counts; an alphabetic name only as a whole
word; nothing inside a web address; an ambiguous name where its surroundings tell that the brand is meant.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from diagnosis.analysis.matching.disambiguation import MatchContext, Sense, classify_senses
from diagnosis.analysis.matching.gazetteer import Gazetteer, get_gazetteer
from diagnosis.analysis.matching.names import BrandSpellings, NameFinder, NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling, normalize_text
from diagnosis.analysis.matching.web_addresses import Address, find_addresses, find_cited_domains

__all__ = ["BrandSpellings", "Mention", "TextAnalysis", "analyse_text", "find_mentions", "normalize_spelling"]


@dataclass(frozen=True)
class Mention:
    """`start` and `end` are offsets in code points of the answer as it was given.

    is_certain: whether the brand is meant; where it may also be an ordinary word, only the user can say.
    """

    brand: str
    start: int
    end: int
    is_certain: bool = True


@dataclass(frozen=True)
class TextAnalysis:
    """What an answer tells. others: known brands that nobody asked for; domains: the hosts it cites, in order."""

    mentions: list[Mention]
    others: list[str]
    domains: list[str]


def find_mentions(text: str, brands: Iterable[BrandSpellings], question: str = "") -> list[Mention]:
    """The certain mentions in order of their place.

    Where spellings overlap, the one that starts first and is longest wins; a spelling that two brands claim is the
    first brand's. question: what was asked, which helps with ambiguous names.
    """
    return [mention for mention in analyse_text(text, brands, question).mentions if mention.is_certain]


def analyse_text(text: str, brands: Iterable[BrandSpellings], question: str = "") -> TextAnalysis:
    """All mentions of these brands, other known brands that are surely named, and the domains that are cited."""
    gazetteer = get_gazetteer()
    finder = _get_name_finder(tuple((brand.name, tuple(brand.spellings)) for brand in brands), gazetteer)
    normalized = normalize_text(text)
    matches = _exclude_matches_in_addresses(find_addresses(text), finder.find(normalized), normalized)
    context = MatchContext(text, normalized, matches, normalize_spelling(question), tuple(gazetteer.brand_context))
    classified_matches = list(zip(matches, classify_senses(context), strict=True))
    return TextAnalysis(
        [
            _to_mention(match, sense, normalized)
            for match, sense in classified_matches
            if match.name.is_tracked and sense is not Sense.WORD
        ],
        list(
            dict.fromkeys(
                match.name.brand
                for match, sense in classified_matches
                if not match.name.is_tracked and sense is Sense.BRAND
            )
        ),
        find_cited_domains(text),
    )


@lru_cache(maxsize=64)
def _get_name_finder(brands: tuple[tuple[str, tuple[str, ...]], ...], gazetteer: Gazetteer) -> NameFinder:
    return NameFinder([BrandSpellings(name, spellings) for name, spellings in brands], gazetteer)


def _exclude_matches_in_addresses(
    addresses: Sequence[Address], matches: list[NameMatch], normalized: NormalizedText
) -> list[NameMatch]:
    """Without those inside an address; one that is the whole of it, as "Booking.com" is, stays."""
    return (
        [match for match in matches if not _is_inside_address(match, addresses, normalized)] if addresses else matches
    )


def _is_inside_address(match: NameMatch, addresses: Sequence[Address], normalized: NormalizedText) -> bool:
    start, end = normalized.start_offsets[match.start], normalized.end_offsets[match.end - 1]
    # The last address that starts before the hit ends.
    index = bisect_left(addresses, end, key=lambda address: address.start)
    address = addresses[index - 1] if index else None
    return address is not None and start < address.end and not (start <= address.start and address.end <= end)


def _to_mention(match: NameMatch, sense: Sense, normalized: NormalizedText) -> Mention:
    start, end = normalized.start_offsets[match.start], normalized.end_offsets[match.end - 1]
    return Mention(match.name.brand, start, end, is_certain=sense is Sense.BRAND)
