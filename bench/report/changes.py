"""How often is a change called one that is none, and how often is a real one seen?

Pairs of diagnoses of 60 answers whose truth is known. Answers may hang together: a question's answers in one diagnosis
are then alike, whatever they are in the next.
"""

from collections.abc import Callable

import numpy

from bench.figures import Figure
from diagnosis.differences import CONFIDENCE, Pair, difference_of
from diagnosis.figures import newcombe_difference

PAIRS = 2000
SEED = 20_240_607
RATE, ANSWERS = 0.4, 60
QUESTIONS = (20, 10, 5, 3)
TOGETHER = 3.0  # of a beta distribution: the smaller, the more the answers to one question are alike

Chance = numpy.random.Generator
Draw = Callable[[Chance, int], list[Pair]]


def independent(chance: Chance, questions: int, before: float = RATE, after: float = RATE) -> list[Pair]:
    """Every answer by itself."""
    counts = chance.binomial(ANSWERS // questions, numpy.repeat([[before], [after]], questions, axis=1))
    return _pairs(counts, questions)


def together(chance: Chance, questions: int, before: float = RATE, after: float = RATE) -> list[Pair]:
    """Each question has a rate of its own in each of the two diagnoses: what its answers share is of that one alone."""
    means = numpy.repeat([[before], [after]], questions, axis=1)
    rates = chance.beta(means * TOGETHER, (1 - means) * TOGETHER)
    return _pairs(chance.binomial(ANSWERS // questions, rates), questions)


def same_questions(chance: Chance, questions: int) -> list[Pair]:
    """Each question has a rate of its own, and keeps it."""
    rates = chance.beta(RATE * TOGETHER, (1 - RATE) * TOGETHER, size=questions)
    return _pairs(chance.binomial(ANSWERS // questions, numpy.stack([rates, rates])), questions)


def _pairs(counts: numpy.ndarray, questions: int) -> list[Pair]:
    each = ANSWERS // questions
    return [Pair(str(n), "", (int(counts[0, n]), each), (int(counts[1, n]), each)) for n in range(questions)]


def _share_called(draw: Draw, questions: int, pairs: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(share called a change, share that Newcombe's interval alone would have called one)."""
    chance = numpy.random.default_rng(SEED)
    called = alone = 0
    for _ in range(pairs):
        drawn = draw(chance, questions)
        found = difference_of(drawn, confidence)
        called += found is not None and found.changed != "none"
        before, after = sum(pair.before[0] for pair in drawn), sum(pair.after[0] for pair in drawn)
        interval = newcombe_difference((before, ANSWERS), (after, ANSWERS))
        alone += interval is not None and not interval[0] <= 0 <= interval[1]
    return called / pairs, alone / pairs


def _nothing_changed(what: str, draw: Draw, pairs: int) -> Figure:
    shares = [_share_called(draw, questions, pairs) for questions in QUESTIONS]
    worst = max(called for called, _alone in shares)
    told = ", ".join(
        f"{called:.1%} of {questions} questions" for questions, (called, _alone) in zip(QUESTIONS, shares, strict=True)
    )
    measured = f"{told} (Newcombe's alone: {', '.join(f'{alone:.1%}' for _called, alone in shares)})"
    name = f"changes reported when nothing changed, {pairs:,} pairs, p = {RATE}, n = {ANSWERS}: {what}"
    return Figure(name, "<= 6 %", measured, worst <= 0.06)


def measure_independent(pairs: int = PAIRS) -> Figure:
    """Nothing changed, and every answer stands by itself."""
    return _nothing_changed("independent answers", independent, pairs)


def measure_together(pairs: int = PAIRS) -> Figure:
    """Nothing changed, and the answers to a question hang together within a diagnosis."""
    return _nothing_changed("answers that hang together within a question and diagnosis", together, pairs)


def measure_same_questions(pairs: int = PAIRS) -> Figure:
    """Nothing changed, and each question has its own rate in both."""
    return _nothing_changed("each question with a rate of its own that it keeps", same_questions, pairs)


def measure_notices(pairs: int = PAIRS, brands: int = 5) -> Figure:
    """Runs of a schedule after which a notice would be written although nothing changed, of five brands."""
    chance = numpy.random.default_rng(SEED)
    confidence = 1 - (1 - CONFIDENCE) / brands
    told = 0
    for _ in range(pairs):
        found = [difference_of(together(chance, 20), confidence) for _brand in range(brands)]
        told += any(one is not None and one.changed != "none" for one in found)
    name = f"runs with a notice when nothing changed, {pairs:,} runs, {brands} brands, answers that hang together"
    return Figure(name, "<= 6 %", f"{told / pairs:.1%}", told / pairs <= 0.06)


def measure_real_changes(pairs: int = 500) -> Figure:
    """A rate that really rose, from 30 to 60 %."""
    shares = [
        _share_called(lambda chance, questions: independent(chance, questions, 0.3, 0.6), questions, pairs)[0]
        for questions in QUESTIONS
    ]
    told = ", ".join(
        f"{share:.0%} of {questions} questions" for questions, share in zip(QUESTIONS, shares, strict=True)
    )
    return Figure(
        f"a rise from 30 to 60 % that is seen, {pairs} pairs, n = {ANSWERS}",
        ">= 80 % with 20 questions",
        told,
        shares[0] >= 0.8,
    )
