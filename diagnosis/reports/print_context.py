"""The template context of the printable report, in the order of the page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import MENTION_UNCERTAIN
from diagnosis.choices import AnswerState, PlatformSurface, SiteKind
from diagnosis.models import Answer, Brand, Correction
from diagnosis.reports.builder import KIND_RECOGNITION, KIND_UNBRANDED
from diagnosis.reports.export import ai_labels
from diagnosis.reports.formatting import format_percent, list_surfaces

HEATMAP_LEVELS = 4
MAX_PRINTED_HOSTS = 15
MAX_PRINTED_REASONS = 6


@dataclass(frozen=True)
class RateBar:
    """A rate with its interval. value, low, high: CSS lengths such as "41.67%"; text, range: for the reader."""

    value: str
    low: str
    high: str
    text: str
    range: str


@dataclass(frozen=True)
class TextSpan:
    """A part of an answer's text. brand: the brand that it mentions, None for text between mentions."""

    text: str
    brand: str | None = None
    is_own: bool = False


def build_print_context(
    report: dict[str, Any],
    answers: Sequence[Answer],
    *,
    named: Iterable[Brand] = (),
    corrections: Iterable[Correction] = (),
    trend: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the template context. `answers` are in the order of questions, platforms and repeats.

    named: the brands of the diagnosis, with their aliases. trend: as the API returns it, None without one.
    """
    diagnosis = report["diagnosis"]
    platforms = {platform["id"]: platform for platform in report["platforms"]}
    by_platform = []
    for platform in report["platforms"]:
        brands = _build_brands(report["brands"], "by_platform", platform["id"])
        # The rates cover the questions that name no brand, so the counts shown must too.
        counts = {name: brands[0]["figures"][name] for name in ("valid", "planned")} if brands else {}
        by_platform.append(platform | counts | {"brands": brands})
    return {
        "report": report,
        "created_at": parse_datetime(diagnosis["created_at"]),
        "finished_at": parse_datetime(diagnosis["finished_at"] or ""),
        "ai_label": ai_labels.get_ai_label(),
        "demo_label": ai_labels.get_demo_label(report["demo"]),
        "aigc": ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(report)),
        "brands": [_build_brand(brand, brand["figures"]) for brand in _sort_own_brand_first(report["brands"])],
        "by_platform": by_platform,
        "questions": _build_questions(report),
        "heatmap": _build_heatmap(report),
        "recognition": _sort_own_brand_first((report["recognition"] or {"brands": []})["brands"]),
        "sources": [_build_surface_sources(each, platforms) for each in report["sources"]],
        "surface_label": PlatformSurface(report["surface"]).label,
        "surface_rates": _build_surface_rates(report),
        "trend": _build_trend_rows(trend) if trend else [],
        "aliases": [{"name": brand.name, "aliases": _("、").join(brand.aliases)} for brand in named if brand.aliases],
        "corrections": [_describe_correction(correction) for correction in corrections],
        "surfaces": list_surfaces(report),
        "failures": [
            failure | {"name": _get_platform_name(platforms, failure["platform"])} for failure in report["failures"]
        ],
        "groups": list(_group_answers_by_question(report, answers)),
        "reasons": [row for brand in _sort_own_brand_first(report["brands"]) if (row := _build_reasons(report, brand))],
        "quotes": [
            quote | {"brand": brand["name"], "name": _get_platform_name(platforms, quote["platform"])}
            for brand in _sort_own_brand_first(report["brands"])
            for quote in (brand["sentiment"] or {}).get("quotes", [])
        ],
    }


def _build_reasons(report: dict[str, Any], brand: dict[str, Any]) -> dict[str, str] | None:
    """Return what answers praise and blame a brand for, the most frequent first; None without either."""
    groups = [*report["brands"], *(report["recognition"] or {"brands": []})["brands"]]
    sentiments = [each["sentiment"] for each in groups if each["name"] == brand["name"] and each["sentiment"]]
    reasons = {}
    for kind in ("praise", "blame"):
        counts = Counter(quote["text"] for sentiment in sentiments for quote in sentiment.get(kind, []))
        frequent = counts.most_common(MAX_PRINTED_REASONS)
        reasons[kind] = " · ".join(f"{text} × {count}" if count > 1 else text for text, count in frequent)
    return {"name": brand["name"], **reasons} if any(reasons.values()) else None


def _build_heatmap(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per question that names no brand: the answers that mention the own brand, by platform."""
    own = next((brand["name"] for brand in report["brands"] if brand["is_own"]), None)
    cells = {(cell["question"], cell["platform"]): cell for cell in report["cells"]}
    rows = []
    for number, question in enumerate(report["questions"], 1):
        row = [cells.get((question["id"], platform["id"])) for platform in report["platforms"]]
        if own and any(row):
            rows.append({"number": number, "cells": [_build_heatmap_cell(cell, own) for cell in row]})
    return rows


def _build_heatmap_cell(cell: dict[str, Any] | None, own: str) -> dict[str, Any]:
    if not cell or not cell["valid"]:
        return {"text": "–", "level": None}
    mentions = cell["mentions"].get(own, 0)
    return {"text": f"{mentions} / {cell['valid']}", "level": ceil(mentions / cell["valid"] * HEATMAP_LEVELS)}


def _build_trend_rows(trend: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the own brand's rate in each diagnosis of the panel, the latest first; none for a single one."""
    if len(trend["points"]) < 2:
        return []
    changes = {step["after"]: step["brands"] for step in trend["changes"]}
    breaks = {step["after"]: step["breaks"] for step in trend["changes"]}
    rows = []
    for point in reversed(trend["points"]):
        own = next((brand for brand in point["brands"] if brand["is_own"]), None)
        change = next((one for one in changes.get(point["id"], ()) if one["is_own"]), None)
        if own:
            has_rate = own["rate"] is not None
            rows.append(
                {
                    "created_at": point["created_at"],
                    "rate": format_percent(own["rate"]),
                    "range": f"{format_percent(own['low'])}–{format_percent(own['high'])}" if has_rate else "",
                    "change": _describe_change(change) if change else "–",
                    "breaks": [describe_break(item) for item in breaks.get(point["id"], ())],
                }
            )
    return rows


def describe_break(item: Mapping[str, Any]) -> str:
    """Return what was measured differently on a platform."""
    what = {
        "surface": _("测量方式"),
        "protocol": _("协议"),
        "requested_model": _("请求的模型"),
        "model": _("平台回复中的模型"),
        "parameters": _("参数"),
    }[item["what"]]
    if item["what"] == "parameters":
        return _("%(platform)s：参数变了") % {"platform": item["name"]}
    is_surface = item["what"] == "surface"
    before, after = (
        _("、").join(str(PlatformSurface(value).label) if is_surface else value for value in item[side])
        for side in ("before", "after")
    )
    return _("%(platform)s：%(what)s %(before)s → %(after)s") % {
        "platform": item["name"],
        "what": what,
        "before": before,
        "after": after,
    }


def _build_surface_rates(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mention rates by brand, with one of each surface; [] if only one was measured."""
    if len(report["surfaces"]) < 2:
        return []
    return [
        {
            "name": brand["name"],
            "is_own": brand["is_own"],
            "rates": [
                {
                    "label": PlatformSurface(surface["surface"]).label,
                    "bar": build_rate_bar(figures, "mention_rate"),
                    "figures": figures,
                }
                for surface in report["surfaces"]
                for figures in [one["figures"] for one in surface["brands"] if one["name"] == brand["name"]]
            ],
        }
        for brand in _sort_own_brand_first(report["brands"])
    ]


def _build_surface_sources(surface: dict[str, Any], platforms: dict[str, Any]) -> dict[str, Any]:
    """Return the sources of a surface with bars and labels."""
    hosts = [
        host
        | {
            "bar": build_rate_bar(host, "listed_rate"),
            "kind_label": SiteKind(host["kind"]).label if host["kind"] else _("未归类"),
        }
        for host in surface["hosts"][:MAX_PRINTED_HOSTS]
    ]
    return surface | {
        "label": PlatformSurface(surface["surface"]).label,
        "cited": build_rate_bar(surface, "own_site_cited_rate"),
        "listed": build_rate_bar(surface, "own_site_listed_rate"),
        "hosts": hosts,
        "queries": surface["queries"][:MAX_PRINTED_HOSTS],
        "untold": [
            _get_platform_name(platforms, row["platform"]) for row in surface["platforms"] if not row["tells_sources"]
        ],
    }


def _describe_change(change: dict[str, Any]) -> str:
    if change["measured_differently"]:
        return _("测法不同，不能当作品牌的变化")
    if change["counted_differently"]:
        return _("口径不同，不能比较")
    if change["difference"] is None:
        return _("没有共同的有效回答，无法比较")
    label = {"up": _("上升"), "down": _("下降"), "none": _("无显著变化")}[change["changed"]]
    return f"{label} {change['difference'] * 100:+.0f} ({change['low'] * 100:+.0f} – {change['high'] * 100:+.0f})"


def _describe_correction(correction: Correction) -> str:
    values = {"brand": correction.brand, "alias": correction.alias}
    if correction.kind == Correction.Kind.ALIAS:
        return _("更正：“%(alias)s”也算“%(brand)s”") % values
    if correction.kind == Correction.Kind.CONFIRM:
        return _("更正：一处“%(brand)s”确认是这个品牌") % values
    return _("更正：一处“%(brand)s”不是这个品牌") % values


def build_rate_bar(metrics: dict[str, Any], name: str) -> RateBar | None:
    """Return the bar of a rate; None if it is unknown. Without an interval, low and high equal the value."""
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


def _format_css_length(share: float) -> str:
    return f"{share * 100:.2f}%"


def _sort_own_brand_first(brands: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(brands, key=lambda brand: (not brand["is_own"], -(brand["figures"]["mention_rate"] or 0)))


def _build_brands(brands: Iterable[dict[str, Any]], breakdown: str, group: str) -> list[dict[str, Any]]:
    """Return the brands with their figures of one group of a breakdown: a platform or a question."""
    return [
        _build_brand(brand, brand[breakdown][group])
        for brand in _sort_own_brand_first(brands)
        if brand[breakdown].get(group)
    ]


def _build_brand(brand: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": brand["name"],
        "is_own": brand["is_own"],
        "figures": metrics,
        "mention": build_rate_bar(metrics, "mention_rate"),
        "first": build_rate_bar(metrics, "first_mention_rate"),
        "share": build_rate_bar(metrics, "share_of_voice"),
        "recommended": build_rate_bar(metrics, "recommendation_rate"),
    }


def _build_questions(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each question with its counts, the figures of each brand, and the leading competitors."""
    winners = {lost["question"]: lost["winners"] for lost in report["lost"]}
    recognition = report["recognition"] or {"brands": []}
    brands_by_kind = {KIND_UNBRANDED: report["brands"], KIND_RECOGNITION: recognition["brands"]}
    return [
        question
        | {
            "brands": _build_brands(brands_by_kind[question["kind"]], "by_question", question["id"]),
            "winners": winners.get(question["id"], []),
        }
        for question in report["questions"]
    ]


def _group_answers_by_question(report: dict[str, Any], answers: Sequence[Answer]) -> Iterable[dict[str, Any]]:
    """Return the valid answers by question, each with its text split by mentions, and the number of the others."""
    own = {brand["name"] for brand in report["brands"] if brand["is_own"]}
    platforms = {platform["id"]: platform for platform in report["platforms"]}
    questions = {row["id"]: (number, row["text"]) for number, row in enumerate(report["questions"], 1)}
    for question, question_answers in groupby(answers, key=lambda answer: str(answer.question_id)):
        number, text = questions.get(question, ("", ""))
        rows = list(question_answers)
        shown = [
            {
                "answer": answer,
                "name": _get_platform_name(platforms, answer.platform_id),
                "pieces": split_by_mentions(answer.text, answer.mentions, own),
            }
            for answer in rows
            if answer.state == AnswerState.VALID
        ]
        yield {"number": number, "text": text, "answers": shown, "missing": len(rows) - len(shown)}


def _get_platform_name(platforms: dict[str, Any], platform: str) -> str:
    return str(platforms[platform]["name"]) if platform in platforms else platform


def split_by_mentions(text: str, mentions: Iterable[Sequence[Any]], own_brands: Iterable[str]) -> list[TextSpan]:
    """Split the text at mentions. Of two that overlap the first is used; uncertain mentions are not marked."""
    spans, offset = [], 0
    for brand, start, end, *state in sorted(mentions, key=lambda mention: mention[1]):
        if state == [MENTION_UNCERTAIN] or start < offset or end > len(text):
            continue
        spans += [TextSpan(text[offset:start]), TextSpan(text[start:end], brand, brand in own_brands)]
        offset = end
    return [span for span in [*spans, TextSpan(text[offset:])] if span.text]
