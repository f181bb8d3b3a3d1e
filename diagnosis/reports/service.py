"""From rows to the report: analyse a text, tell the facts of an answer, make, store and read a diagnosis's report."""

from collections.abc import Iterable
from typing import Any

from diagnosis.analysis.mentions import BrandSpellings, TextAnalysis, analyse_text
from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Brand, Diagnosis, Question
from diagnosis.reports.builder import ReportAnswer, ReportBrand, build_report

REPORT_VERSION = (
    3  # raise it when stored reports are no longer what `build_report_from_database` makes: they are then made anew
)

ANSWER_ORDERING = ("question__position", "platform__position", "platform_id", "repeat")

MENTION_UNCERTAIN, MENTION_CONFIRMED = "uncertain", "confirmed"


def build_brand_spellings(brands: Iterable[Brand]) -> list[BrandSpellings]:
    """The brands with their spellings, as they are looked for."""
    return [BrandSpellings(brand.name, [brand.name, *brand.aliases]) for brand in brands]


def compute_analysis_columns(text: str, brands: list[BrandSpellings], question: str) -> dict[str, Any]:
    """What is stored of a valid answer's text beside it."""
    return to_analysis_columns(analyse_text(text, brands, question))


def to_analysis_columns(analysis: TextAnalysis) -> dict[str, Any]:
    """A mention is stored as [brand, start, end], and with a fourth item unless it is plainly certain."""
    mentions = [
        [mention.brand, mention.start, mention.end]
        if mention.is_certain
        else [mention.brand, mention.start, mention.end, MENTION_UNCERTAIN]
        for mention in analysis.mentions
    ]
    return {"mentions": mentions, "others": analysis.others, "domains": analysis.domains}


def get_mentioned_brands(mentions: Iterable[list[Any]]) -> list[str]:
    """The brands that a text surely names, each once, in order of their first place."""
    return list(dict.fromkeys(brand for brand, _start, _end, *state in mentions if state != [MENTION_UNCERTAIN]))


def get_uncertain_brands(mentions: list[list[Any]]) -> list[str]:
    """The brands that a text may name, and does not name surely."""
    certain = get_mentioned_brands(mentions)
    return list(dict.fromkeys(brand for brand, *_ in mentions if brand not in certain))


def find_named_brands(question: str, brands: list[BrandSpellings]) -> list[str]:
    """The brands that a question names, as answers are read; a name that may be an ordinary word counts too.

    One doubtful question in a mention rate would leave the rate in doubt.
    """
    return list(dict.fromkeys(mention.brand for mention in analyse_text(question, brands).mentions))


# The diagnosis is one of them, or Django would read it again for every answer.
_REPORT_COLUMNS = (
    "diagnosis",
    "platform",
    "state",
    "mentions",
    "error_code",
    "question",
    "others",
    "domains",
    "verdicts",
)


def build_report_from_database(diagnosis: Diagnosis) -> dict[str, Any]:
    """The report of the answers as they are stored. Four queries, however many answers there are."""
    answers = diagnosis.answers.order_by(*ANSWER_ORDERING)
    return build_report_from_rows(
        diagnosis, diagnosis.brands.all(), diagnosis.questions.all(), answers.only(*_REPORT_COLUMNS)
    )


def build_report_from_rows(
    diagnosis: Diagnosis, brands: Iterable[Brand], questions: Iterable[Question], answers: Iterable[Answer]
) -> dict[str, Any]:
    """The report of these rows, stored or not; answers in the order of their questions and platforms."""
    brands = list(brands)
    spellings = build_brand_spellings(brands)
    report_answers = [
        ReportAnswer(
            answer.platform_id,
            str(answer.state),
            get_mentioned_brands(answer.mentions),
            answer.error_code,
            question=str(answer.question_id),
            uncertain=get_uncertain_brands(answer.mentions),
            others=answer.others or (),
            domains=answer.domains,
            id=str(answer.pk),
            verdicts=answer.verdicts,
        )
        for answer in answers
    ]
    # The diagnosis's own seed: the same answers have the same intervals, whoever asks and when.
    seed = diagnosis.pk.int % 2**32
    return {
        "version": REPORT_VERSION,
        **build_report(
            [ReportBrand(brand.name, brand.is_own) for brand in brands],
            report_answers,
            seed=seed,
            named_brands={str(question.pk): find_named_brands(question.text, spellings) for question in questions},
        ),
    }


def build_minimal_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """Counts alone: for an end that does not wait for the analysis, which has a bug."""
    counts = {name: getattr(diagnosis, name) for name in ("planned", "valid", "failed", "filtered")}
    lists: dict[str, Any] = {name: [] for name in ("brands", "platforms", "questions", "cells", "lost", "others")}
    unknown: dict[str, Any] = {"domains": None, "domains_by_platform": {}, "judged": None, "recognition": None}
    return {"version": REPORT_VERSION, **counts, "unbranded": counts, **lists, **unknown, "failures": []}


def get_current_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """The stored report; one of an older form is made anew from the answers, or filled up when they are gone."""
    stored: dict[str, Any] = diagnosis.report if isinstance(diagnosis.report, dict) else {}
    if stored.get("version") == REPORT_VERSION:
        return stored
    if diagnosis.answers.exists() or not stored:
        return build_report_from_database(diagnosis)
    return build_minimal_report(diagnosis) | stored


def reanalyse_answers(answers: Iterable[Answer], brands: list[BrandSpellings]) -> list[Answer]:
    """Look through stored texts again; the valid answers, changed and not saved. `question` must be at hand."""
    valid = [answer for answer in answers if answer.state == AnswerState.VALID]
    for answer in valid:
        for name, value in compute_analysis_columns(answer.text, brands, answer.question.text).items():
            setattr(answer, name, value)
    return valid
