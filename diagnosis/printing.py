"""A report as its printable page shows it: in the page's order, with nothing left to compute."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.dateparse import parse_datetime

from diagnosis.choices import AnswerState
from diagnosis.export import labels
from diagnosis.models import Answer
from diagnosis.report import RECOGNITION, UNBRANDED


@dataclass(frozen=True)
class Rate:
    """A share with its interval. value, low, high: lengths of the drawing, "41.67%"; text and range for reading."""

    value: str
    low: str
    high: str
    text: str
    range: str


@dataclass(frozen=True)
class Piece:
    """A part of an answer's text; brand: which one it names, None for what is between."""

    text: str
    brand: str | None = None
    is_own: bool = False


def page_of(report: dict[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    """What the template shows. answers: in the order of questions, platforms and repeats."""
    diagnosis = report["diagnosis"]
    platforms = {one["id"]: one for one in report["platforms"]}
    return {
        "report": report,
        "created_at": parse_datetime(diagnosis["created_at"]),
        "finished_at": parse_datetime(diagnosis["finished_at"] or ""),
        "ai_label": labels.ai_label(),
        "demo_label": labels.demo_label(report["demo"]),
        "aigc": labels.as_text(labels.aigc_of(report)),
        "brands": [_brand(brand) for brand in _own_first(report["brands"])],
        "by_platform": [_by_platform(one, report["brands"]) for one in report["platforms"]],
        "questions": _questions(report),
        "failures": [one | {"name": _name(platforms, one["platform"])} for one in report["failures"]],
        "groups": list(_groups(report, answers)),
        "quotes": _quotes(report, platforms),
    }


def rate(figures: dict[str, Any], name: str) -> Rate | None:
    """A rate of these figures; None where it is unknown. Its interval is the value itself where there is none."""
    value = figures[name]
    if value is None:
        return None
    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
    known = low is not None and high is not None
    low, high = (low, high) if known else (value, value)
    text_range = f"{percent(low)}–{percent(high)}" if known else ""
    return Rate(_length(value), _length(low), _length(high), percent(value), text_range)


def percent(share: float) -> str:
    """0.4167 -> "42%", as the live page rounds."""
    return f"{int(share * 100 + 0.5)}%"


def _length(share: float) -> str:
    return f"{share * 100:.2f}%"


def _own_first(brands: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(brands, key=lambda brand: (not brand["is_own"], -(brand["figures"]["mention_rate"] or 0)))


def _brand(brand: dict[str, Any], figures: dict[str, Any] | None = None) -> dict[str, Any]:
    figures = figures or brand["figures"]
    return {
        "name": brand["name"],
        "is_own": brand["is_own"],
        "figures": figures,
        "mention": rate(figures, "mention_rate"),
        "first": rate(figures, "first_mention_rate"),
        "share": rate(figures, "share_of_voice"),
    }


def _by_platform(platform: dict[str, Any], brands: Iterable[dict[str, Any]]) -> dict[str, Any]:
    there = [(brand, brand["by_platform"].get(platform["id"])) for brand in _own_first(brands)]
    shown = [_brand(brand, figures) for brand, figures in there if figures]
    # Its rates are of the questions that name no brand, so their counts stand beside them.
    counts = {name: shown[0]["figures"][name] for name in ("valid", "planned")} if shown else {}
    return platform | counts | {"brands": shown}


def _questions(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each question with its counts, how often each brand is named, and who wins it."""
    winners = {one["question"]: one["winners"] for one in report["lost"]}
    recognition = report["recognition"] or {"brands": []}
    of_kind = {UNBRANDED: report["brands"], RECOGNITION: recognition["brands"]}
    return [
        question
        | {
            "brands": [
                _brand(brand, brand["by_question"][question["id"]])
                for brand in _own_first(of_kind[question["kind"]])
                if question["id"] in brand["by_question"]
            ],
            "winners": winners.get(question["id"], []),
        }
        for question in report["questions"]
    ]


def _quotes(report: dict[str, Any], platforms: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        quote | {"brand": brand["name"], "name": _name(platforms, quote["platform"])}
        for brand in _own_first(report["brands"])
        for quote in (brand["sentiment"] or {}).get("quotes", [])
    ]


def _groups(report: dict[str, Any], answers: Sequence[Answer]) -> Iterable[dict[str, Any]]:
    """The answers by question, each with its text in pieces."""
    own = {brand["name"] for brand in report["brands"] if brand["is_own"]}
    platforms = {one["id"]: one for one in report["platforms"]}
    questions = {one["id"]: (number, one["text"]) for number, one in enumerate(report["questions"], 1)}
    reasons = {one["code"]: one["title"] for one in report["failures"]}
    for question, of_question in groupby(answers, key=lambda answer: str(answer.question_id)):
        number, text = questions.get(question, ("", ""))
        shown = [
            {
                "answer": answer,
                "name": _name(platforms, answer.platform_id),
                "is_valid": answer.state == AnswerState.VALID,
                "pieces": pieces_of(answer.text, answer.mentions, own),
                "reason": reasons.get(answer.error_code, ""),
            }
            for answer in of_question
        ]
        yield {"number": number, "text": text, "answers": shown}


def _name(platforms: dict[str, Any], platform: str) -> str:
    return str(platforms[platform]["name"]) if platform in platforms else platform


def pieces_of(text: str, mentions: Iterable[Sequence[Any]], own: Iterable[str]) -> list[Piece]:
    """The text cut where brands are named; of two that overlap the first is shown. Uncertain hits are not marked."""
    pieces, at = [], 0
    for brand, start, end, *state in sorted(mentions, key=lambda mention: mention[1]):
        if state == ["uncertain"] or start < at or end > len(text):
            continue
        pieces += [Piece(text[at:start]), Piece(text[start:end], brand, brand in own)]
        at = end
    return [piece for piece in [*pieces, Piece(text[at:])] if piece.text]
