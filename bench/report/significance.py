"""Rates of false and detected changes, on simulated pairs of diagnoses with 60 answers and known rates.

Correlated answers share a rate per question within a diagnosis, independent of the next diagnosis.
"""

from collections.abc import Callable

import numpy

from bench.harness import BenchmarkResult
from bench.report.interval_coverage import BETA_CONCENTRATION, RANDOM_SEED
from diagnosis.reports.intervals import CONFIDENCE_LEVEL, newcombe_difference_interval
from diagnosis.trends.significance import CellPair, compute_rate_difference

PAIR_COUNT = 2000
MENTION_RATE, ANSWERS_PER_DIAGNOSIS = 0.4, 60
QUESTION_COUNTS = (20, 10, 5, 3)

RandomGenerator = numpy.random.Generator
PairSampler = Callable[[RandomGenerator, int], list[CellPair]]


def draw_independent(
    rng: RandomGenerator, questions: int, before: float = MENTION_RATE, after: float = MENTION_RATE
) -> list[CellPair]:
    """Draw independent answers."""
    counts = rng.binomial(ANSWERS_PER_DIAGNOSIS // questions, numpy.repeat([[before], [after]], questions, axis=1))
    return _build_pairs(counts, questions)


def draw_correlated(
    rng: RandomGenerator, questions: int, before: float = MENTION_RATE, after: float = MENTION_RATE
) -> list[CellPair]:
    """Draw answers with a rate per question and diagnosis."""
    means = numpy.repeat([[before], [after]], questions, axis=1)
    rates = rng.beta(means * BETA_CONCENTRATION, (1 - means) * BETA_CONCENTRATION)
    return _build_pairs(rng.binomial(ANSWERS_PER_DIAGNOSIS // questions, rates), questions)


def draw_fixed_question_rates(rng: RandomGenerator, questions: int) -> list[CellPair]:
    """Draw answers with a rate per question that is the same in both diagnoses."""
    rates = rng.beta(MENTION_RATE * BETA_CONCENTRATION, (1 - MENTION_RATE) * BETA_CONCENTRATION, size=questions)
    return _build_pairs(rng.binomial(ANSWERS_PER_DIAGNOSIS // questions, numpy.stack([rates, rates])), questions)


def _build_pairs(counts: numpy.ndarray, questions: int) -> list[CellPair]:
    each = ANSWERS_PER_DIAGNOSIS // questions
    return [CellPair(str(n), "", (int(counts[0, n]), each), (int(counts[1, n]), each)) for n in range(questions)]


def _measure_detection_shares(
    draw: PairSampler, questions: int, pairs: int, confidence: float = CONFIDENCE_LEVEL
) -> tuple[float, float]:
    """Return the shares of pairs with a significant change, by our interval and by Newcombe's alone."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    detected = detected_by_newcombe = 0
    for _ in range(pairs):
        drawn = draw(rng, questions)
        difference = compute_rate_difference(drawn, confidence)
        detected += difference is not None and difference.changed != "none"
        before, after = sum(pair.before[0] for pair in drawn), sum(pair.after[0] for pair in drawn)
        interval = newcombe_difference_interval((before, ANSWERS_PER_DIAGNOSIS), (after, ANSWERS_PER_DIAGNOSIS))
        detected_by_newcombe += not interval[0] <= 0 <= interval[1]
    return detected / pairs, detected_by_newcombe / pairs


def _check_false_positives(what: str, draw: PairSampler, pairs: int) -> BenchmarkResult:
    shares = [_measure_detection_shares(draw, questions, pairs) for questions in QUESTION_COUNTS]
    worst = max(called for called, _alone in shares)
    shares_text = ", ".join(
        f"{called:.1%} of {questions} questions"
        for questions, (called, _alone) in zip(QUESTION_COUNTS, shares, strict=True)
    )
    measured = f"{shares_text} (Newcombe's alone: {', '.join(f'{alone:.1%}' for _called, alone in shares)})"
    size = f"{pairs:,} pairs, p = {MENTION_RATE}, n = {ANSWERS_PER_DIAGNOSIS}"
    name = f"changes reported when nothing changed, {size}: {what}"
    return BenchmarkResult(name, "<= 6 %", measured, worst <= 0.06)


def measure_independent(pairs: int = PAIR_COUNT) -> BenchmarkResult:
    """Measure false changes with independent answers."""
    return _check_false_positives("independent answers", draw_independent, pairs)


def measure_correlated(pairs: int = PAIR_COUNT) -> BenchmarkResult:
    """Measure false changes with answers correlated within a question and diagnosis."""
    return _check_false_positives("answers correlated within a question and diagnosis", draw_correlated, pairs)


def measure_fixed_question_rates(pairs: int = PAIR_COUNT) -> BenchmarkResult:
    """Measure false changes with a constant rate per question."""
    return _check_false_positives("a constant rate per question", draw_fixed_question_rates, pairs)


def measure_false_notifications(pairs: int = PAIR_COUNT, brands: int = 5) -> BenchmarkResult:
    """Measure scheduled runs of five brands that produce a notification without any change."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    confidence = 1 - (1 - CONFIDENCE_LEVEL) / brands
    notified = 0
    for _ in range(pairs):
        differences = [compute_rate_difference(draw_correlated(rng, 20), confidence) for _brand in range(brands)]
        notified += any(difference is not None and difference.changed != "none" for difference in differences)
    name = f"runs with a notification when nothing changed, {pairs:,} runs, {brands} brands, correlated answers"
    return BenchmarkResult(name, "<= 6 %", f"{notified / pairs:.1%}", notified / pairs <= 0.06)


def measure_real_changes(pairs: int = 500) -> BenchmarkResult:
    """Measure how often a rise from 30 to 60 % is detected."""
    shares = [
        _measure_detection_shares(
            lambda chance, questions: draw_independent(chance, questions, 0.3, 0.6), questions, pairs
        )[0]
        for questions in QUESTION_COUNTS
    ]
    shares_text = ", ".join(
        f"{share:.0%} of {questions} questions" for questions, share in zip(QUESTION_COUNTS, shares, strict=True)
    )
    return BenchmarkResult(
        f"a rise from 30 to 60 % that is detected, {pairs} pairs, n = {ANSWERS_PER_DIAGNOSIS}",
        ">= 80 % with 20 questions",
        shares_text,
        shares[0] >= 0.8,
    )
