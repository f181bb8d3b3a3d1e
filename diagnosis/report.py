"""The report: who was named, how often, how sure that is. A pure function of the answers; nothing is read here."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from diagnosis.bootstrap import share_intervals
from diagnosis.brand_figures import brand_figures
from diagnosis.choices import AnswerState
from diagnosis.judging import SENTIMENTS

K = TypeVar("K")

MOST_OTHERS = 20
MOST_DOMAINS = 50
MOST_QUOTES = 30

UNBRANDED, RECOGNITION = "unbranded", "recognition"  # what a question measures


Verdict = Mapping[str, Any]


@dataclass(frozen=True)
class AnswerFacts:
    """What the report needs of one planned answer.

    mentioned: brands in order of their first place in the text; uncertain: those of which only the user can say.
    others: known brands that nobody asked for. domains: the hosts it cites; None when nobody has looked.
    verdicts: how it speaks of brands, {brand, sentiment, start, end}; None when nobody has judged it.
    """

    platform: str
    state: str
    mentioned: Sequence[str] = ()
    error_code: str = ""
    question: str = ""
    uncertain: Sequence[str] = ()
    others: Sequence[str] = ()
    domains: Sequence[str] | None = None
    id: str = ""
    verdicts: Sequence[Verdict] | None = None


@dataclass(frozen=True)
class BrandFacts:
    """A brand to report on."""

    name: str
    is_own: bool


def build_report(
    brands: Sequence[BrandFacts],
    answers: Sequence[AnswerFacts],
    seed: int = 0,
    named: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The figures as stored: each brand in all, by platform and by question, and what else the answers tell.

    seed: of the bootstrap; the same one gives the same intervals. named: {question: the brands that it names}. Whoever
    is named in the question is echoed in the answer, so the answers to such questions are in `recognition` alone;
    only counts, failures, other brands and domains are of all answers.
    """
    branded = {question: list(found) for question, found in (named or {}).items() if found}
    unbranded = [answer for answer in answers if answer.question not in branded]
    recognised = [answer for answer in answers if answer.question in branded]
    platforms = _grouped(answers, lambda answer: answer.platform)
    questions = _grouped(answers, lambda answer: answer.question)
    reports = _brand_reports(brands, unbranded, platforms, seed)
    return {
        **_counts(answers),
        "unbranded": _counts(unbranded),
        "brands": reports,
        "platforms": [{"id": platform, **_counts(of_platform)} for platform, of_platform in platforms.items()],
        "questions": [
            {
                "id": question,
                "kind": RECOGNITION if question in branded else UNBRANDED,
                "named": branded.get(question, []),
                **_counts(of_question),
            }
            for question, of_question in questions.items()
        ],
        "cells": _cells(brands, unbranded),
        "judged": sum(answer.verdicts is not None for answer in _valid(answers)) or None,
        "lost": _lost(reports),
        "recognition": _recognition(brands, recognised, platforms, seed),
        "others": _others(answers),
        "domains": _domains(answers),
        "domains_by_platform": {platform: _domains(of_platform) for platform, of_platform in platforms.items()},
        "failures": _failures(answers),
    }


def _recognition(
    brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts], platforms: Iterable[str], seed: int
) -> dict[str, Any] | None:
    """The same figures over the questions that name a brand; None when none does."""
    if not answers:
        return None
    reports = _brand_reports(brands, answers, platforms, seed)
    return {**_counts(answers), "brands": reports, "cells": _cells(brands, answers)}


def _brand_reports(
    brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts], platforms: Iterable[str], seed: int
) -> list[dict[str, Any]]:
    names = [brand.name for brand in brands]
    in_all = _with_voices(names, answers, seed)
    by_platform = {
        platform: _with_voices(names, [answer for answer in answers if answer.platform == platform], seed)
        for platform in platforms
    }
    by_question = {
        question: _with_voices(names, of_question, seed)
        for question, of_question in _grouped(answers, lambda answer: answer.question).items()
    }
    return [
        {
            "name": brand.name,
            "is_own": brand.is_own,
            "figures": in_all[brand.name],
            "sentiment": _sentiment(brand.name, answers),
            "by_platform": {platform: figures[brand.name] for platform, figures in by_platform.items()},
            "by_question": {question: figures[brand.name] for question, figures in by_question.items()},
        }
        for brand in brands
    ]


def _grouped(answers: Iterable[AnswerFacts], key: Callable[[AnswerFacts], K]) -> dict[K, list[AnswerFacts]]:
    groups: dict[K, list[AnswerFacts]] = {}
    for answer in answers:
        groups.setdefault(key(answer), []).append(answer)
    return groups


def _counts(answers: Sequence[AnswerFacts]) -> dict[str, int]:
    states = Counter(answer.state for answer in answers)
    return {
        "planned": len(answers),
        "valid": states[AnswerState.VALID],
        "failed": states[AnswerState.FAILED],
        "filtered": states[AnswerState.FILTERED],
    }


def _valid(answers: Iterable[AnswerFacts]) -> list[AnswerFacts]:
    return [answer for answer in answers if answer.state == AnswerState.VALID]


def _with_voices(names: Sequence[str], answers: Sequence[AnswerFacts], seed: int) -> dict[str, dict[str, Any]]:
    """{brand: its figures over these answers}."""
    valid = _valid(answers)
    ranks = [_ranks(names, answer) for answer in valid]
    # Sorted, so that the order of the answers changes nothing.
    voices = {question: dict.fromkeys(names, 0) for question in sorted({answer.question for answer in valid})}
    for answer, named in zip(valid, ranks, strict=True):
        # Each brand counts once per answer, so a brand that is repeated in one answer gains nothing.
        for name in named:
            voices[answer.question][name] += 1
    counts = [list(of_question.values()) for of_question in voices.values()]
    intervals = share_intervals(counts, seed) or [None] * len(names)
    return {
        name: vars(
            brand_figures(
                [named.get(name) for named in ranks],
                planned=len(answers),
                uncertain=sum(name in answer.uncertain for answer in valid),
                voices=sum(map(sum, counts)),
                questions=len(voices),
                share_interval=interval,
            )
        )
        for name, interval in zip(names, intervals, strict=True)
    }


def _ranks(names: Sequence[str], answer: AnswerFacts) -> dict[str, int]:
    """{brand: its place among the brands of the diagnosis that the answer names, from 1}."""
    named = [name for name in dict.fromkeys(answer.mentioned) if name in names]
    return {name: rank for rank, name in enumerate(named, 1)}


def _cells(brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts]) -> list[dict[str, Any]]:
    """Question x platform: what the heat map shows. mentions: {brand: answers that name it}."""
    found = []
    for (question, platform), here in _grouped(answers, lambda answer: (answer.question, answer.platform)).items():
        mentions = {brand.name: sum(brand.name in answer.mentioned for answer in _valid(here)) for brand in brands}
        found.append({"question": question, "platform": platform, **_counts(here), "mentions": mentions})
    return found


def _lost(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The questions at which a competitor is named in more answers than the own brand, and the best of them."""
    own = next((report for report in reports if report["is_own"]), None)
    rivals = {report["name"]: report["by_question"] for report in reports if not report["is_own"]}
    lost: list[dict[str, Any]] = []
    if own is None or not rivals:
        return lost
    for question, figures in own["by_question"].items():
        mentions = {name: by_question[question]["mentions"] for name, by_question in rivals.items()}
        most = max(mentions.values())
        if most > figures["mentions"]:
            winners = [name for name, count in mentions.items() if count == most]
            counts = {"valid": figures["valid"], "planned": figures["planned"], "mentions": figures["mentions"]}
            lost.append({"question": question, **counts, "winners": winners, "winners_mentions": most})
    return lost


def _sentiment(name: str, answers: Iterable[AnswerFacts]) -> dict[str, Any] | None:
    """Counts over the judged answers that name the brand, and where the quotes are; None when none was judged."""
    counts: dict[str, int] = dict.fromkeys(SENTIMENTS, 0)
    quotes: list[dict[str, Any]] = []
    for answer in _valid(answers):
        for verdict in answer.verdicts or () if name in answer.mentioned else ():
            if verdict["brand"] != name:
                continue
            counts[verdict["sentiment"]] += 1
            if verdict["end"] and len(quotes) < MOST_QUOTES:
                place = {"answer": answer.id, "question": answer.question, "platform": answer.platform}
                quotes.append(place | {key: verdict[key] for key in ("sentiment", "start", "end")})
    judged = sum(counts.values())
    return {"judged": judged, **counts, "quotes": quotes} if judged else None


def _others(answers: Iterable[AnswerFacts]) -> list[dict[str, Any]]:
    counts = Counter(name for answer in _valid(answers) for name in dict.fromkeys(answer.others))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "answers": count} for name, count in ordered[:MOST_OTHERS]]


def _domains(answers: Iterable[AnswerFacts]) -> list[dict[str, Any]] | None:
    """None when no answer cites any: whether a platform gives its sources is not told by its not giving them."""
    counts = Counter(domain for answer in _valid(answers) for domain in dict.fromkeys(answer.domains or ()))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"domain": domain, "answers": count} for domain, count in ordered[:MOST_DOMAINS]] or None


def _failures(answers: Iterable[AnswerFacts]) -> list[dict[str, Any]]:
    counts = Counter(
        (answer.platform, answer.error_code)
        for answer in answers
        if answer.state in (AnswerState.FAILED, AnswerState.FILTERED)
    )
    return [{"platform": platform, "code": code, "count": count} for (platform, code), count in counts.items()]
