"""Figures of what the judge found in the answers: recommendations, sentiment, praise and blame."""

from collections.abc import Iterable, Sequence
from typing import Any

from diagnosis.analysis.extraction import ExtractedBrand, Span
from diagnosis.analysis.judge_prompt import SENTIMENTS
from diagnosis.reports.answers import ReportAnswer, filter_valid
from diagnosis.reports.intervals import compute_rate, compute_rate_interval

MAX_QUOTES = 30


def count_recommendations(name: str, answers: Iterable[ReportAnswer]) -> dict[str, Any]:
    """Return how many of the judged answers recommend the brand or advise against it, with Wilson's interval."""
    stances = [
        extracted.stance if (extracted := answer.extracted.get(name)) else ""
        for answer in filter_valid(answers)
        if answer.extracted is not None
    ]
    known = [stance for stance in stances if stance is not None]
    recommendations = known.count("recommended")
    low, high = compute_rate_interval(recommendations, len(known))
    return {
        "judged": len(known),
        "recommendations": recommendations,
        "recommendation_rate": compute_rate(recommendations, len(known)),
        "recommendation_rate_low": low,
        "recommendation_rate_high": high,
        "advised_against": known.count("advised_against"),
    }


def summarize_sentiment(name: str, answers: Iterable[ReportAnswer]) -> dict[str, Any] | None:
    """Count the sentiments of the judged answers that mention the brand and collect quotes; None without any.

    An answer in which the judge did not find the brand is unclear.
    """
    counts: dict[str, int] = dict.fromkeys(SENTIMENTS, 0)
    quotes: list[dict[str, Any]] = []
    praise: list[dict[str, Any]] = []
    blame: list[dict[str, Any]] = []
    for answer in filter_valid(answers):
        if answer.extracted is None or name not in answer.mentioned:
            continue
        extracted = answer.extracted.get(name)
        sentiment = extracted.sentiment if extracted else "unclear"
        counts[sentiment] += 1
        if extracted:
            quotes += _build_quotes(answer, sentiment, [extracted.quote] if _has_quote(extracted) else [])
            praise += _build_quotes(answer, "positive", extracted.praise)
            blame += _build_quotes(answer, "negative", extracted.blame)
    judged = sum(counts.values())
    if not judged:
        return None
    lists = {"quotes": quotes[:MAX_QUOTES], "praise": praise[:MAX_QUOTES], "blame": blame[:MAX_QUOTES]}
    return {"judged": judged, **counts, **lists}


def _has_quote(extracted: ExtractedBrand) -> bool:
    return extracted.sentiment != "unclear" and extracted.quote[1] > 0


def _build_quotes(answer: ReportAnswer, sentiment: str, spans: Sequence[Span]) -> list[dict[str, Any]]:
    source = {"answer": answer.id, "question": answer.question, "platform": answer.platform, "sentiment": sentiment}
    return [source | {"start": start, "end": end} for start, end in spans]
