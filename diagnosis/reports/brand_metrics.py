"""The figures of one brand over a set of answers. Every one is a count, a rate with its interval, or unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from diagnosis.reports.intervals import compute_rate, wilson_interval

MIN_MENTIONS_FOR_MEAN = 5  # a mean of less says more about chance than about the brand
MIN_ANSWERS_FOR_POPULATION = 30  # from here on Wilson's interval covers what it promises, in `make bench-report`
MIN_QUESTIONS_FOR_POPULATION = 20  # and from here on the bootstrap's

SCOPE_THESE_QUESTIONS, SCOPE_POPULATION = "these_questions", "population"


@dataclass(frozen=True)
class BrandMetrics:
    """One brand over a set of planned answers. The unit is one valid answer; rates are 0-1, None when unknown.

    mean_position: its mean place among the brands of the diagnosis, 1 is first, over the `mentions` answers that name
    it; None under five. mean_reciprocal_rank: of 1/place over all valid answers, 0 where it is not named.
    uncertain: answers that may name it, as only the user can say; they are in no rate.
    scope, voice_scope: whether the interval holds for questions like these ("population") or, for want of answers or
    because they hang together within a question, for this set only ("these_questions").
    """

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
    share_of_voice_low: float | None
    share_of_voice_high: float | None
    mean_position: float | None
    mean_reciprocal_rank: float | None
    uncertain: int
    scope: str
    voice_scope: str


def compute_brand_metrics(
    ranks: Sequence[int | None],
    *,
    planned: int,
    uncertain: int,
    total_mentions: int,
    question_count: int,
    share_interval: tuple[float, float] | None,
) -> BrandMetrics:
    """ranks: the brand's place in each valid answer, None where it is not named. voices: of all brands together."""
    valid, named_ranks = len(ranks), [rank for rank in ranks if rank is not None]
    first_mentions = named_ranks.count(1)
    low, high = wilson_interval(len(named_ranks), valid) or (None, None)
    first_low, first_high = wilson_interval(first_mentions, valid) or (None, None)
    # Of a brand with no voice, or with all of them, every resample says the same: that is no certainty.
    share_low, share_high = (share_interval if 0 < len(named_ranks) < total_mentions else None) or (None, None)
    return BrandMetrics(
        planned=planned,
        valid=valid,
        mentions=len(named_ranks),
        mention_rate=compute_rate(len(named_ranks), valid),
        mention_rate_low=low,
        mention_rate_high=high,
        first_mentions=first_mentions,
        first_mention_rate=compute_rate(first_mentions, valid),
        first_mention_rate_low=first_low,
        first_mention_rate_high=first_high,
        share_of_voice=compute_rate(len(named_ranks), total_mentions),
        share_of_voice_low=share_low,
        share_of_voice_high=share_high,
        mean_position=sum(named_ranks) / len(named_ranks) if len(named_ranks) >= MIN_MENTIONS_FOR_MEAN else None,
        # Exact, so that the order of the answers changes nothing.
        mean_reciprocal_rank=fsum(1 / rank for rank in named_ranks) / valid if valid else None,
        uncertain=uncertain,
        # Answers to several questions are no independent draws.
        scope=SCOPE_POPULATION
        if question_count == 1 and valid >= MIN_ANSWERS_FOR_POPULATION
        else SCOPE_THESE_QUESTIONS,
        voice_scope=SCOPE_POPULATION if question_count >= MIN_QUESTIONS_FOR_POPULATION else SCOPE_THESE_QUESTIONS,
    )
