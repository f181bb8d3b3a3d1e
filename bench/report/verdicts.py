"""Error rates of the verdict, on simulated answers of two brands with known mention rates.

The answers to a question share a rate per brand, drawn from a beta distribution: independently of the other brand's, or
at the same quantile, so that a question is easy or hard for both.
"""

from collections.abc import Callable

import numpy
from numpy.typing import NDArray

from bench.harness import BenchmarkResult
from bench.report.interval_coverage import BETA_CONCENTRATION, RANDOM_SEED
from diagnosis.reports.paired import PairedAnswer, compare_paired

RUN_COUNT = 2000
EQUAL_RATE, LOWER_RATE, HIGHER_RATE = 0.4, 0.35, 0.65
# Questions and answers to each: 10 to 200 answers.
SIZES = ((5, 2), (1, 16), (4, 4), (3, 10), (10, 3), (20, 3), (10, 6), (5, 12), (3, 20), (10, 10), (5, 40), (20, 10))
QUANTILE_COUNT = 20_000

Rates = tuple[NDArray[numpy.float64], NDArray[numpy.float64]]
RateSampler = Callable[[numpy.random.Generator, int, float, float], Rates]


def draw_rates_by_brand(rng: numpy.random.Generator, questions: int, first: float, second: float) -> Rates:
    """Draw a rate per question and brand, independently."""
    return _draw_beta(rng, first, questions), _draw_beta(rng, second, questions)


def draw_shared_rates(rng: numpy.random.Generator, questions: int, first: float, second: float) -> Rates:
    """Draw rates at the same quantile of both brands' distributions."""
    ranks = rng.integers(0, QUANTILE_COUNT, size=questions)
    quantile_rng = numpy.random.default_rng(RANDOM_SEED)
    sorted_rates = [numpy.sort(_draw_beta(quantile_rng, mean, QUANTILE_COUNT)) for mean in (first, second)]
    return sorted_rates[0][ranks], sorted_rates[1][ranks]


def _draw_beta(rng: numpy.random.Generator, mean: float, size: int) -> NDArray[numpy.float64]:
    return rng.beta(mean * BETA_CONCENTRATION, (1 - mean) * BETA_CONCENTRATION, size=size)


def measure_share_of_differences(
    draw: RateSampler, size: tuple[int, int], rates: tuple[float, float], runs: int
) -> float:
    """Return the share of simulated reports whose verdict is a difference."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    questions, answers_each = size
    detected = 0
    for _ in range(runs):
        # A single question is not a sample of others: its rates are those of the brands.
        drawn = draw(rng, questions, *rates) if questions > 1 else (numpy.full(1, rates[0]), numpy.full(1, rates[1]))
        first_rates, second_rates = drawn
        first = rng.random((questions, answers_each)) < first_rates[:, None]
        second = rng.random((questions, answers_each)) < second_rates[:, None]
        compared = compare_paired(
            [
                PairedAnswer(str(question), bool(first[question, answer]), bool(second[question, answer]))
                for question in range(questions)
                for answer in range(answers_each)
            ]
        )
        detected += compared is not None and compared.is_significant
    return detected / runs


def measure_false_differences(runs: int = RUN_COUNT) -> BenchmarkResult:
    """Measure verdicts of a difference between brands with equal rates, in reports of 10 to 200 answers."""
    shares = {
        size: measure_share_of_differences(draw_rates_by_brand, size, (EQUAL_RATE, EQUAL_RATE), runs) for size in SIZES
    }
    measured = ", ".join(f"{share:.1%} ({size[0]} x {size[1]})" for size, share in shares.items())
    return BenchmarkResult(
        f"verdict 'differs' when equal, {runs:,} reports each of 10 to 200 answers correlated within a question",
        "<= 5 %, each size within the error of the simulation",
        measured,
        max(shares.values()) <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5,
    )


def measure_detected_differences(runs: int = RUN_COUNT) -> BenchmarkResult:
    """Measure verdicts of a true difference of 30 points in 60 answers."""
    shares = {
        (name, size): measure_share_of_differences(draw, size, (LOWER_RATE, HIGHER_RATE), runs)
        for name, draw in (("shared by the brands", draw_shared_rates), ("by brand", draw_rates_by_brand))
        for size in ((20, 3), (10, 6))
    }
    measured = ", ".join(f"{share:.0%} ({size[0]} x {size[1]}, {name})" for (name, size), share in shares.items())
    return BenchmarkResult(
        f"a true difference of 30 points seen in 60 answers correlated within a question, {runs:,} reports",
        ">= 80 % when questions are easy or hard for both brands",
        measured,
        min(shares["shared by the brands", size] for size in ((20, 3), (10, 6))) >= 0.8,
    )
