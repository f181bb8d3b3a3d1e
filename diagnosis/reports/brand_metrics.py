"""The figures of one brand over a set of answers."""

from collections.abc import Sequence
from math import fsum
from typing import Any

from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.reports.schemas import FiguresOut

MIN_MENTIONS_FOR_MEAN = 5  # a mean of fewer says more about chance than about the brand
# From these numbers on, the measured coverage of the intervals meets 95 % (`make bench-report`).
MIN_ANSWERS_FOR_POPULATION = 30
MIN_QUESTIONS_FOR_POPULATION = 20


def compute_brand_metrics(
    ranks: Sequence[int | None],
    *,
    planned: int,
    uncertain: int,
    total_mentions: int,
    question_count: int,
    share_interval: tuple[float, float] | None,
    recommendations: dict[str, Any],
) -> FiguresOut:
    """Return the figures of a brand.

    `ranks` has the brand's position in each valid answer, None where it is not mentioned; `total_mentions` counts the
    mentions of all brands together; `recommendations` are the figures of `count_recommendations`.
    """
    valid, named_ranks = len(ranks), [rank for rank in ranks if rank is not None]
    mentions, first_mentions = len(named_ranks), named_ranks.count(1)
    low, high = compute_rate_interval(mentions, valid)
    first_low, first_high = compute_rate_interval(first_mentions, valid)
    # With a share of 0 or 1 all resamples are equal, which is no certainty.
    share_low, share_high = (share_interval if 0 < mentions < total_mentions else None) or (None, None)
    return FiguresOut(
        planned=planned,
        valid=valid,
        mentions=mentions,
        mention_rate=compute_rate(mentions, valid),
        mention_rate_low=low,
        mention_rate_high=high,
        first_mentions=first_mentions,
        first_mention_rate=compute_rate(first_mentions, valid),
        first_mention_rate_low=first_low,
        first_mention_rate_high=first_high,
        share_of_voice=compute_rate(mentions, total_mentions),
        share_of_voice_low=share_low,
        share_of_voice_high=share_high,
        mean_position=sum(named_ranks) / mentions if mentions >= MIN_MENTIONS_FOR_MEAN else None,
        # fsum is exact, so the order of the answers does not matter.
        mean_reciprocal_rank=fsum(1 / rank for rank in named_ranks) / valid if valid else None,
        uncertain=uncertain,
        **recommendations,
        # Answers to several questions are not independent.
        scope="population" if question_count == 1 and valid >= MIN_ANSWERS_FOR_POPULATION else "these_questions",
        voice_scope="population" if question_count >= MIN_QUESTIONS_FOR_POPULATION else "these_questions",
    )
