"""The figures of one brand over a set of answers. Every one is a count, a rate with its interval, or unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from diagnosis.figures import rate, wilson_interval

LEAST_FOR_MEAN = 5  # a mean of less says more about chance than about the brand
LEAST_ANSWERS = 30  # from here on Wilson's interval covers what it promises, in `make bench-report`
LEAST_QUESTIONS = 20  # and from here on the bootstrap's

THESE_QUESTIONS, POPULATION = "these_questions", "population"


@dataclass(frozen=True)
class Figures:
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


def brand_figures(
    ranks: Sequence[int | None],
    *,
    planned: int,
    uncertain: int,
    voices: int,
    questions: int,
    share_interval: tuple[float, float] | None,
) -> Figures:
    """ranks: the brand's place in each valid answer, None where it is not named. voices: of all brands together."""
    valid, named = len(ranks), [rank for rank in ranks if rank is not None]
    firsts = named.count(1)
    low, high = wilson_interval(len(named), valid) or (None, None)
    first_low, first_high = wilson_interval(firsts, valid) or (None, None)
    # Of a brand with no voice, or with all of them, every resample says the same: that is no certainty.
    share_low, share_high = (share_interval if 0 < len(named) < voices else None) or (None, None)
    return Figures(
        planned=planned,
        valid=valid,
        mentions=len(named),
        mention_rate=rate(len(named), valid),
        mention_rate_low=low,
        mention_rate_high=high,
        first_mentions=firsts,
        first_mention_rate=rate(firsts, valid),
        first_mention_rate_low=first_low,
        first_mention_rate_high=first_high,
        share_of_voice=rate(len(named), voices),
        share_of_voice_low=share_low,
        share_of_voice_high=share_high,
        mean_position=sum(named) / len(named) if len(named) >= LEAST_FOR_MEAN else None,
        # Exact, so that the order of the answers changes nothing.
        mean_reciprocal_rank=fsum(1 / rank for rank in named) / valid if valid else None,
        uncertain=uncertain,
        # Answers to several questions are no independent draws.
        scope=POPULATION if questions == 1 and valid >= LEAST_ANSWERS else THESE_QUESTIONS,
        voice_scope=POPULATION if questions >= LEAST_QUESTIONS else THESE_QUESTIONS,
    )
