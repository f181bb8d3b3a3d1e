"""The report: who was named, how often, how sure that is. A pure function of the answers; nothing is read here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from diagnosis.choices import AnswerState
from diagnosis.figures import rate, wilson_interval


@dataclass(frozen=True)
class AnswerFacts:
    """What the report needs of one planned answer. mentioned: brands in order of their first place in the text."""

    platform: str
    state: str
    mentioned: Sequence[str] = ()
    error_code: str = ""


@dataclass(frozen=True)
class BrandFacts:
    """A brand to report on."""

    name: str
    is_own: bool


@dataclass(frozen=True)
class Figures:
    """One brand over a set of planned answers. The unit is one valid answer; rates are 0-1, None when unknown."""

    planned: int
    valid: int
    mentions: int
    mention_rate: float | None
    mention_rate_low: float | None
    mention_rate_high: float | None
    first_mentions: int
    first_mention_rate: float | None
    first_mention_rate_low: float | None
    first_mention_rate_high: float | None
    share_of_voice: float | None


def build_report(brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts]) -> dict[str, Any]:
    """The figures as stored: counts, each brand in all and by platform, and what failed."""
    platforms = list(dict.fromkeys(answer.platform for answer in answers))
    return {
        **_counts(answers),
        "brands": [
            {
                "name": brand.name,
                "is_own": brand.is_own,
                "figures": asdict(_figures(brand.name, brands, answers)),
                "by_platform": {
                    platform: asdict(_figures(brand.name, brands, _of_platform(platform, answers)))
                    for platform in platforms
                },
            }
            for brand in brands
        ],
        "platforms": [{"id": platform, **_counts(_of_platform(platform, answers))} for platform in platforms],
        "failures": _failures(answers),
    }


def _of_platform(platform: str, answers: Iterable[AnswerFacts]) -> list[AnswerFacts]:
    return [answer for answer in answers if answer.platform == platform]


def _counts(answers: Sequence[AnswerFacts]) -> dict[str, int]:
    states = Counter(answer.state for answer in answers)
    return {
        "planned": len(answers),
        "valid": states[AnswerState.VALID],
        "failed": states[AnswerState.FAILED],
        "filtered": states[AnswerState.FILTERED],
    }


def _figures(name: str, brands: Sequence[BrandFacts], answers: Sequence[AnswerFacts]) -> Figures:
    valid = [answer for answer in answers if answer.state == AnswerState.VALID]
    mentions = sum(name in answer.mentioned for answer in valid)
    firsts = sum(bool(answer.mentioned) and answer.mentioned[0] == name for answer in valid)
    # Each brand counts once per answer, so a brand that is repeated in one answer gains nothing.
    voices = sum(brand.name in answer.mentioned for answer in valid for brand in brands)
    low, high = wilson_interval(mentions, len(valid)) or (None, None)
    first_low, first_high = wilson_interval(firsts, len(valid)) or (None, None)
    return Figures(
        planned=len(answers),
        valid=len(valid),
        mentions=mentions,
        mention_rate=rate(mentions, len(valid)),
        mention_rate_low=low,
        mention_rate_high=high,
        first_mentions=firsts,
        first_mention_rate=rate(firsts, len(valid)),
        first_mention_rate_low=first_low,
        first_mention_rate_high=first_high,
        share_of_voice=rate(mentions, voices),
    )


def _failures(answers: Iterable[AnswerFacts]) -> list[dict[str, Any]]:
    counts = Counter(
        (answer.platform, answer.error_code)
        for answer in answers
        if answer.state in (AnswerState.FAILED, AnswerState.FILTERED)
    )
    return [{"platform": platform, "code": code, "count": count} for (platform, code), count in counts.items()]
