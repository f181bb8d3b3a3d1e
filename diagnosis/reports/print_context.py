"""A report as its printable page shows it: in the page's order, with nothing left to compute."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.dateparse import parse_datetime

from diagnosis.choices import AnswerState
from diagnosis.models import Answer
from diagnosis.reports.builder import KIND_RECOGNITION, KIND_UNBRANDED
from diagnosis.reports.export import ai_labels


@dataclass(frozen=True)
class RateBar:
    """A share with its interval. value, low, high: lengths of the drawing, "41.67%"; text and range for reading."""

    value: str
    low: str
    high: str
    text: str
    range: str


@dataclass(frozen=True)
class TextSpan:
    """A part of an answer's text; brand: which one it names, None for what is between."""

    text: str
    brand: str | None = None
    is_own: bool = False


def build_print_context(report: dict[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    """What the template shows. answers: in the order of questions, platforms and repeats."""
    diagnosis = report["diagnosis"]
    platforms = {one["id"]: one for one in report["platforms"]}
    return {
        "report": report,
        "created_at": parse_datetime(diagnosis["created_at"]),
        "finished_at": parse_datetime(diagnosis["finished_at"] or ""),
        "ai_label": ai_labels.get_ai_label(),
        "demo_label": ai_labels.get_demo_label(report["demo"]),
        "aigc": ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(report)),
        "brands": [_build_brand(brand) for brand in _sort_own_brand_first(report["brands"])],
        "by_platform": [_build_platform(one, report["brands"]) for one in report["platforms"]],
        "questions": _build_questions(report),
        "failures": [one | {"name": _get_platform_name(platforms, one["platform"])} for one in report["failures"]],
        "groups": list(_group_answers_by_question(report, answers)),
        "quotes": _collect_quotes(report, platforms),
    }


def build_rate_bar(metrics: dict[str, Any], name: str) -> RateBar | None:
    """A rate of these figures; None where it is unknown. Its interval is the value itself where there is none."""
    value = metrics[name]
    if value is None:
        return None
    low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
    has_interval = low is not None and high is not None
    low, high = (low, high) if has_interval else (value, value)
    text_range = f"{format_percent(low)}–{format_percent(high)}" if has_interval else ""
    return RateBar(
        _format_css_length(value), _format_css_length(low), _format_css_length(high), format_percent(value), text_range
    )


def format_percent(share: float) -> str:
    """0.4167 -> "42%", as the live page rounds."""
    return f"{int(share * 100 + 0.5)}%"


def _format_css_length(share: float) -> str:
    return f"{share * 100:.2f}%"


def _sort_own_brand_first(brands: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(brands, key=lambda brand: (not brand["is_own"], -(brand["figures"]["mention_rate"] or 0)))


def _build_brand(brand: dict[str, Any], metrics: dict[str, Any] | None = None) -> dict[str, Any]:
    metrics = metrics or brand["figures"]
    return {
        "name": brand["name"],
        "is_own": brand["is_own"],
        "figures": metrics,
        "mention": build_rate_bar(metrics, "mention_rate"),
        "first": build_rate_bar(metrics, "first_mention_rate"),
        "share": build_rate_bar(metrics, "share_of_voice"),
    }


def _build_platform(platform: dict[str, Any], brands: Iterable[dict[str, Any]]) -> dict[str, Any]:
    metrics_by_brand = [(brand, brand["by_platform"].get(platform["id"])) for brand in _sort_own_brand_first(brands)]
    shown = [_build_brand(brand, figures) for brand, figures in metrics_by_brand if figures]
    # Its rates are of the questions that name no brand, so their counts stand beside them.
    counts = {name: shown[0]["figures"][name] for name in ("valid", "planned")} if shown else {}
    return platform | counts | {"brands": shown}


def _build_questions(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each question with its counts, how often each brand is named, and who wins it."""
    winners = {one["question"]: one["winners"] for one in report["lost"]}
    recognition = report["recognition"] or {"brands": []}
    brands_by_kind = {KIND_UNBRANDED: report["brands"], KIND_RECOGNITION: recognition["brands"]}
    return [
        question
        | {
            "brands": [
                _build_brand(brand, brand["by_question"][question["id"]])
                for brand in _sort_own_brand_first(brands_by_kind[question["kind"]])
                if question["id"] in brand["by_question"]
            ],
            "winners": winners.get(question["id"], []),
        }
        for question in report["questions"]
    ]


def _collect_quotes(report: dict[str, Any], platforms: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        quote | {"brand": brand["name"], "name": _get_platform_name(platforms, quote["platform"])}
        for brand in _sort_own_brand_first(report["brands"])
        for quote in (brand["sentiment"] or {}).get("quotes", [])
    ]


def _group_answers_by_question(report: dict[str, Any], answers: Sequence[Answer]) -> Iterable[dict[str, Any]]:
    """The answers by question, each with its text in pieces."""
    own = {brand["name"] for brand in report["brands"] if brand["is_own"]}
    platforms = {one["id"]: one for one in report["platforms"]}
    questions = {one["id"]: (number, one["text"]) for number, one in enumerate(report["questions"], 1)}
    reasons = {one["code"]: one["title"] for one in report["failures"]}
    for question, question_answers in groupby(answers, key=lambda answer: str(answer.question_id)):
        number, text = questions.get(question, ("", ""))
        shown = [
            {
                "answer": answer,
                "name": _get_platform_name(platforms, answer.platform_id),
                "is_valid": answer.state == AnswerState.VALID,
                "pieces": split_by_mentions(answer.text, answer.mentions, own),
                "reason": reasons.get(answer.error_code, ""),
            }
            for answer in question_answers
        ]
        yield {"number": number, "text": text, "answers": shown}


def _get_platform_name(platforms: dict[str, Any], platform: str) -> str:
    return str(platforms[platform]["name"]) if platform in platforms else platform


def split_by_mentions(text: str, mentions: Iterable[Sequence[Any]], own_brands: Iterable[str]) -> list[TextSpan]:
    """The text cut where brands are named; of two that overlap the first is shown. Uncertain hits are not marked."""
    spans, offset = [], 0
    for brand, start, end, *state in sorted(mentions, key=lambda mention: mention[1]):
        if state == ["uncertain"] or start < offset or end > len(text):
            continue
        spans += [TextSpan(text[offset:start]), TextSpan(text[start:end], brand, brand in own_brands)]
        offset = end
    return [span for span in [*spans, TextSpan(text[offset:])] if span.text]
