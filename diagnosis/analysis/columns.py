"""The analysis of an answer's text as the row of the answer stores it.

A mention is stored as [brand, start, end], with a fourth item unless the matcher alone is certain: `MENTION_UNCERTAIN`,
`MENTION_JUDGED` (certain by the judge) or `MENTION_CONFIRMED` (by the user). Offsets are code points of the text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from diagnosis.analysis.extraction import ExtractedBrand, read_extraction
from diagnosis.analysis.matching.gazetteer import get_gazetteer
from diagnosis.analysis.mentions import MATCHER_VERSION, BrandSpellings, analyse_text, normalize_spelling
from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Brand

MENTION_UNCERTAIN, MENTION_JUDGED, MENTION_CONFIRMED = "uncertain", "judged", "confirmed"


def build_brand_spellings(brands: Iterable[Brand]) -> list[BrandSpellings]:
    """Return the names and aliases to search for."""
    return [BrandSpellings(brand.name, [brand.name, *brand.aliases]) for brand in brands]


def compute_analysis_columns(
    text: str, brands: list[BrandSpellings], question: str, extraction: Any = None
) -> dict[str, Any]:
    """Return the columns of the analysis of a valid answer, with its extraction if any."""
    analysis = analyse_text(text, brands, question)
    mentions = [
        [mention.brand, mention.start, mention.end, *([] if mention.is_certain else [MENTION_UNCERTAIN])]
        for mention in analysis.mentions
    ]
    columns: dict[str, Any] = {
        "mentions": mentions,
        "others": analysis.others,
        "discovered": analysis.discovered,
        "domains": analysis.domains,
        "matcher_version": MATCHER_VERSION,
    }
    extracted = read_extraction(extraction)
    if extracted is None or isinstance(extraction, list):
        return columns
    by_brand = match_extracted_brands(extracted, brands, mentions)
    columns["mentions"] = _settle_mentions(mentions, by_brand, is_complete=extraction["complete"])
    matched = {id(item) for item in by_brand.values()}
    columns["discovered"] = []
    columns["others"] = list(
        dict.fromkeys(_get_canonical_name(item.name) for item in extracted if id(item) not in matched)
    )
    return columns


def match_extracted_brands(
    extracted: Iterable[ExtractedBrand], brands: Iterable[BrandSpellings], mentions: Iterable[list[Any]]
) -> dict[str, ExtractedBrand]:
    """Return what was extracted about each brand of the diagnosis, by the spelling or the place of its mention."""
    by_spelling = {normalize_spelling(spelling): brand.name for brand in brands for spelling in brand.spellings}
    by_brand: dict[str, ExtractedBrand] = {}
    for item in extracted:
        overlapping = (brand for brand, start, end, *_state in mentions if start < item.at[1] and item.at[0] < end)
        brand = by_spelling.get(normalize_spelling(item.name)) or next(overlapping, None)
        if brand:
            by_brand.setdefault(brand, item)
    return by_brand


def _settle_mentions(
    mentions: Iterable[list[Any]], by_brand: Mapping[str, ExtractedBrand], *, is_complete: bool
) -> list[list[Any]]:
    """Decide the uncertain mentions: certain where the judge named the brand, none where it listed everything else.

    A name that the matcher took for an ordinary word is added where the judge found the brand.
    """
    settled = []
    for brand, start, end, *state in mentions:
        if state != [MENTION_UNCERTAIN]:
            settled.append([brand, start, end, *state])
        elif brand in by_brand:
            settled.append([brand, start, end, MENTION_JUDGED])
        elif not is_complete:
            settled.append([brand, start, end, MENTION_UNCERTAIN])
    known = {mention[0] for mention in settled}
    settled += [[brand, *item.at, MENTION_JUDGED] for brand, item in by_brand.items() if brand not in known]
    return sorted(settled, key=lambda mention: (mention[1], mention[2]))


def _get_canonical_name(name: str) -> str:
    known = get_gazetteer().by_spelling.get(normalize_spelling(name))
    return known.name if known else " ".join(name.split())


def reanalyse_answers(answers: Iterable[Answer], brands: list[BrandSpellings]) -> list[Answer]:
    """Set the analysis columns of the valid answers and return these, unsaved. Select `question` with the answers."""
    valid = [answer for answer in answers if answer.state == AnswerState.VALID]
    for answer in valid:
        columns = compute_analysis_columns(answer.text, brands, answer.question.text, answer.extraction)
        for name, value in columns.items():
            setattr(answer, name, value)
    return valid


def get_mentioned_brands(mentions: Iterable[list[Any]]) -> list[str]:
    """Return the brands with a certain mention, each once, in order of their first mention."""
    return list(dict.fromkeys(brand for brand, _start, _end, *state in mentions if state != [MENTION_UNCERTAIN]))


def get_uncertain_brands(mentions: list[list[Any]]) -> list[str]:
    """Return the brands with uncertain mentions only."""
    certain = get_mentioned_brands(mentions)
    return list(dict.fromkeys(brand for brand, *_ in mentions if brand not in certain))


def find_named_brands(question: str, brands: list[BrandSpellings], *, is_about_brand: bool = False) -> list[str]:
    """Return the brands that a question names; uncertain mentions count if the user says that it is about the brand."""
    mentions = analyse_text(question, brands).mentions
    return list(dict.fromkeys(mention.brand for mention in mentions if mention.is_certain or is_about_brand))


def find_possible_brands(question: str, brands: list[BrandSpellings]) -> list[str]:
    """Return the brands whose names stand in a question, but may be ordinary words there."""
    mentions = analyse_text(question, brands).mentions
    certain = {mention.brand for mention in mentions if mention.is_certain}
    return list(dict.fromkeys(mention.brand for mention in mentions if mention.brand not in certain))
