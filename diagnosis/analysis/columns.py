"""The analysis of an answer's text as the row of the answer stores it.

A mention is stored as [brand, start, end], with a fourth item `MENTION_UNCERTAIN` or `MENTION_CONFIRMED` unless the
analysis alone is certain. Offsets are code points of the text.
"""

from collections.abc import Iterable
from typing import Any

from diagnosis.analysis.mentions import BrandSpellings, analyse_text
from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Brand

MENTION_UNCERTAIN, MENTION_CONFIRMED = "uncertain", "confirmed"


def build_brand_spellings(brands: Iterable[Brand]) -> list[BrandSpellings]:
    """Return the names and aliases to search for."""
    return [BrandSpellings(brand.name, [brand.name, *brand.aliases]) for brand in brands]


def compute_analysis_columns(text: str, brands: list[BrandSpellings], question: str) -> dict[str, Any]:
    """Return the columns mentions, others and domains for the text of a valid answer."""
    analysis = analyse_text(text, brands, question)
    mentions = [
        [mention.brand, mention.start, mention.end, *([] if mention.is_certain else [MENTION_UNCERTAIN])]
        for mention in analysis.mentions
    ]
    return {"mentions": mentions, "others": analysis.others, "domains": analysis.domains}


def reanalyse_answers(answers: Iterable[Answer], brands: list[BrandSpellings]) -> list[Answer]:
    """Set the analysis columns of the valid answers and return these, unsaved. Select `question` with the answers."""
    valid = [answer for answer in answers if answer.state == AnswerState.VALID]
    for answer in valid:
        for name, value in compute_analysis_columns(answer.text, brands, answer.question.text).items():
            setattr(answer, name, value)
    return valid


def get_mentioned_brands(mentions: Iterable[list[Any]]) -> list[str]:
    """Return the brands with a certain mention, each once, in order of their first mention."""
    return list(dict.fromkeys(brand for brand, _start, _end, *state in mentions if state != [MENTION_UNCERTAIN]))


def get_uncertain_brands(mentions: list[list[Any]]) -> list[str]:
    """Return the brands with uncertain mentions only."""
    certain = get_mentioned_brands(mentions)
    return list(dict.fromkeys(brand for brand, *_ in mentions if brand not in certain))


def find_named_brands(question: str, brands: list[BrandSpellings]) -> list[str]:
    """Return the brands that a question names, uncertain mentions included.

    One doubtful question in a mention rate would make the whole rate doubtful.
    """
    return list(dict.fromkeys(mention.brand for mention in analyse_text(question, brands).mentions))
