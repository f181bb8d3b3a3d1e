"""From rows to the report: analyse a text, tell the facts of an answer, make, store and read a diagnosis's report."""

from collections.abc import Iterable
from typing import Any

from diagnosis.choices import AnswerState
from diagnosis.mentions import BrandNames, Findings, analyse
from diagnosis.models import Answer, Brand, Diagnosis, Question
from diagnosis.report import AnswerFacts, BrandFacts, build_report

REPORT_VERSION = 3  # raise it when stored reports are no longer what `make_report` makes: they are then made anew

ANSWERS_IN_ORDER = ("question__position", "platform__position", "platform_id", "repeat")

UNCERTAIN, CONFIRMED = "uncertain", "confirmed"


def brand_names(brands: Iterable[Brand]) -> list[BrandNames]:
    """The brands with their spellings, as they are looked for."""
    return [BrandNames(brand.name, [brand.name, *brand.aliases]) for brand in brands]


def analysis_columns(text: str, brands: list[BrandNames], question: str) -> dict[str, Any]:
    """What is stored of a valid answer's text beside it."""
    return columns_of(analyse(text, brands, question))


def columns_of(findings: Findings) -> dict[str, Any]:
    """A mention is stored as [brand, start, end], and with a fourth item unless it is plainly certain."""
    mentions = [
        [one.brand, one.start, one.end] if one.is_certain else [one.brand, one.start, one.end, UNCERTAIN]
        for one in findings.mentions
    ]
    return {"mentions": mentions, "others": findings.others, "domains": findings.domains}


def mentioned_brands(mentions: Iterable[list[Any]]) -> list[str]:
    """The brands that a text surely names, each once, in order of their first place."""
    return list(dict.fromkeys(brand for brand, _start, _end, *state in mentions if state != [UNCERTAIN]))


def uncertain_brands(mentions: list[list[Any]]) -> list[str]:
    """The brands that a text may name, and does not name surely."""
    sure = mentioned_brands(mentions)
    return list(dict.fromkeys(brand for brand, *_ in mentions if brand not in sure))


def named_brands(question: str, brands: list[BrandNames]) -> list[str]:
    """The brands that a question names, as answers are read; a name that may be an ordinary word counts too.

    One doubtful question in a mention rate would leave the rate in doubt.
    """
    return list(dict.fromkeys(mention.brand for mention in analyse(question, brands).mentions))


# The diagnosis is one of them, or Django would read it again for every answer.
_COLUMNS = ("diagnosis", "platform", "state", "mentions", "error_code", "question", "others", "domains", "verdicts")


def make_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """The report of the answers as they are stored. Four queries, however many answers there are."""
    answers = diagnosis.answers.order_by(*ANSWERS_IN_ORDER)
    return report_of(diagnosis, diagnosis.brands.all(), diagnosis.questions.all(), answers.only(*_COLUMNS))


def report_of(
    diagnosis: Diagnosis, brands: Iterable[Brand], questions: Iterable[Question], answers: Iterable[Answer]
) -> dict[str, Any]:
    """The report of these rows, stored or not; answers in the order of their questions and platforms."""
    brands = list(brands)
    names = brand_names(brands)
    facts = [
        AnswerFacts(
            answer.platform_id,
            str(answer.state),
            mentioned_brands(answer.mentions),
            answer.error_code,
            question=str(answer.question_id),
            uncertain=uncertain_brands(answer.mentions),
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
            [BrandFacts(brand.name, brand.is_own) for brand in brands],
            facts,
            seed=seed,
            named={str(question.pk): named_brands(question.text, names) for question in questions},
        ),
    }


def bare_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """Counts alone: for an end that does not wait for the analysis, which has a bug."""
    counts = {name: getattr(diagnosis, name) for name in ("planned", "valid", "failed", "filtered")}
    lists: dict[str, Any] = {name: [] for name in ("brands", "platforms", "questions", "cells", "lost", "others")}
    unknown: dict[str, Any] = {"domains": None, "domains_by_platform": {}, "judged": None, "recognition": None}
    return {"version": REPORT_VERSION, **counts, "unbranded": counts, **lists, **unknown, "failures": []}


def current_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """The stored report; one of an older form is made anew from the answers, or filled up when they are gone."""
    stored: dict[str, Any] = diagnosis.report if isinstance(diagnosis.report, dict) else {}
    if stored.get("version") == REPORT_VERSION:
        return stored
    if diagnosis.answers.exists() or not stored:
        return make_report(diagnosis)
    return bare_report(diagnosis) | stored


def analyse_again(answers: Iterable[Answer], brands: list[BrandNames]) -> list[Answer]:
    """Look through stored texts again; the valid answers, changed and not saved. `question` must be at hand."""
    valid = [answer for answer in answers if answer.state == AnswerState.VALID]
    for answer in valid:
        for name, value in analysis_columns(answer.text, brands, answer.question.text).items():
            setattr(answer, name, value)
    return valid
