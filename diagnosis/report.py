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


def build_report(brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts], seed: int = 0) -> dict[str, Any]:
    """The figures as stored: each brand in all, by platform and by question, and what else the answers tell.

    seed: of the bootstrap; the same one gives the same intervals.
    """
    platforms = _grouped(answers, lambda answer: answer.platform)
    questions = _grouped(answers, lambda answer: answer.question)
    names = [brand.name for brand in brands]
    in_all, by_platform = _with_voices(names, answers, seed), {}
    for platform, of_platform in platforms.items():
        by_platform[platform] = _with_voices(names, of_platform, seed)
    by_question = {question: _with_voices(names, of_question, seed) for question, of_question in questions.items()}
    return {
        **_counts(answers),
        "brands": [
            {
                "name": brand.name,
                "is_own": brand.is_own,
                "figures": in_all[brand.name],
                "sentiment": _sentiment(brand.name, answers),
                "by_platform": {platform: figures[brand.name] for platform, figures in by_platform.items()},
                "by_question": {question: figures[brand.name] for question, figures in by_question.items()},
            }
            for brand in brands
        ],
        "platforms": [{"id": platform, **_counts(of_platform)} for platform, of_platform in platforms.items()],
        "questions": [{"id": question, **_counts(of_question)} for question, of_question in questions.items()],
        "cells": _cells(names, answers),
        "judged": sum(answer.verdicts is not None for answer in _valid(answers)) or None,
        "lost": _lost(brands, by_question),
        "others": _others(answers),
        "domains": _domains(answers),
        "domains_by_platform": {platform: _domains(of_platform) for platform, of_platform in platforms.items()},
        "failures": _failures(answers),
    }


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


def _cells(names: Sequence[str], answers: Sequence[AnswerFacts]) -> list[dict[str, Any]]:
    """Question x platform: what the heat map shows. mentions: {brand: answers that name it}."""
    found = []
    for (question, platform), here in _grouped(answers, lambda answer: (answer.question, answer.platform)).items():
        mentions = {name: sum(name in answer.mentioned for answer in _valid(here)) for name in names}
        found.append({"question": question, "platform": platform, **_counts(here), "mentions": mentions})
    return found


def _lost(brands: Sequence[BrandFacts], by_question: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The questions at which a competitor is named in more answers than the own brand, and the best of them."""
    own = next((brand.name for brand in brands if brand.is_own), None)
    rivals = [brand.name for brand in brands if not brand.is_own]
    lost: list[dict[str, Any]] = []
    if own is None or not rivals:
        return lost
    for question, figures in by_question.items():
        most = max(figures[name]["mentions"] for name in rivals)
        if most > figures[own]["mentions"]:
            winners = [name for name in rivals if figures[name]["mentions"] == most]
            counts = {"valid": figures[own]["valid"], "planned": figures[own]["planned"]}
            mentions = {"mentions": figures[own]["mentions"], "winners": winners, "winners_mentions": most}
            lost.append({"question": question, **counts, **mentions})
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
