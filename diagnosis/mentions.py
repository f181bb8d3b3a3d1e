"""Find brands in an answer.

Width, case and traditional characters make no difference; the longest name counts; an alphabetic name only as a whole
word; nothing inside a web address; an ambiguous name where its surroundings tell that the brand is meant.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from diagnosis.matching.addresses import Address, cited_domains, find_addresses
from diagnosis.matching.ambiguity import Place, Sense, tell_senses
from diagnosis.matching.folding import FoldedText, fold, fold_text
from diagnosis.matching.knowledge import Knowledge, knowledge
from diagnosis.matching.names import BrandNames, Hit, NameFinder

__all__ = ["BrandNames", "Findings", "Mention", "analyse", "find_mentions", "fold"]


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
class Findings:
    """What an answer tells. others: known brands that nobody asked for; domains: the hosts it cites, in order."""

    mentions: list[Mention]
    others: list[str]
    domains: list[str]


def find_mentions(text: str, brands: Iterable[BrandNames], question: str = "") -> list[Mention]:
    """The certain mentions in order of their place.

    Where spellings overlap, the one that starts first and is longest wins; a spelling that two brands claim is the
    first brand's. question: what was asked, which helps with ambiguous names.
    """
    return [mention for mention in analyse(text, brands, question).mentions if mention.is_certain]


def analyse(text: str, brands: Iterable[BrandNames], question: str = "") -> Findings:
    """All mentions of these brands, other known brands that are surely named, and the domains that are cited."""
    known = knowledge()
    finder = _finder(tuple((brand.name, tuple(brand.spellings)) for brand in brands), known)
    folded = fold_text(text)
    hits = _outside(find_addresses(text), finder.find(folded), folded)
    place = Place(text, folded, hits, fold(question), tuple(known.as_brand))
    told = list(zip(hits, tell_senses(place), strict=True))
    return Findings(
        [_mention(hit, sense, folded) for hit, sense in told if hit.name.is_wanted and sense is not Sense.WORD],
        list(dict.fromkeys(hit.name.brand for hit, sense in told if not hit.name.is_wanted and sense is Sense.BRAND)),
        cited_domains(text),
    )


@lru_cache(maxsize=64)
def _finder(brands: tuple[tuple[str, tuple[str, ...]], ...], known: Knowledge) -> NameFinder:
    return NameFinder([BrandNames(name, spellings) for name, spellings in brands], known)


def _outside(addresses: Sequence[Address], hits: list[Hit], folded: FoldedText) -> list[Hit]:
    """Without those inside an address; one that is the whole of it, as "Booking.com" is, stays."""
    return [hit for hit in hits if not _is_inside(hit, addresses, folded)] if addresses else hits


def _is_inside(hit: Hit, addresses: Sequence[Address], folded: FoldedText) -> bool:
    start, end = folded.starts[hit.start], folded.ends[hit.end - 1]
    # The last address that starts before the hit ends.
    before = bisect_left(addresses, end, key=lambda address: address.start)
    address = addresses[before - 1] if before else None
    return address is not None and start < address.end and not (start <= address.start and address.end <= end)


def _mention(hit: Hit, sense: Sense, folded: FoldedText) -> Mention:
    start, end = folded.starts[hit.start], folded.ends[hit.end - 1]
    return Mention(hit.name.brand, start, end, is_certain=sense is Sense.BRAND)
