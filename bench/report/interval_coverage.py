"""Do the intervals cover what they promise? Panels are simulated whose truth is known."""

import numpy
from numpy.typing import NDArray

from bench.harness import BenchmarkResult
from diagnosis.reports.bootstrap import bootstrap_share_intervals
from performance.intervals import wilson_interval

PANEL_COUNT = 2000
RANDOM_SEED = 20_240_607

BRAND_COUNT, QUESTIONS_PER_PANEL, ANSWERS_PER_QUESTION = 4, 20, 6
BRAND_WEIGHTS = (0.5, 0.4, 0.25, 0.15)  # how often a brand is named, over all questions
BETA_CONCENTRATION = 3.0  # the smaller, the more the answers to one question are alike


def measure_wilson(panels: int = PANEL_COUNT) -> BenchmarkResult:
    """Wilson's interval on 30 to 120 independent answers, brands named by 5 to 95 % of them."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    covered = 0
    for _ in range(panels):
        answers, truth = int(rng.integers(30, 121)), float(rng.uniform(0.05, 0.95))
        low, high = wilson_interval(int(rng.binomial(answers, truth)), answers)
        covered += low <= truth <= high
    return _build_coverage_result("mention rate: Wilson, >= 30 independent answers", covered / panels, 0.93, 0.97)


def measure_bootstrap(panels: int = PANEL_COUNT) -> BenchmarkResult:
    """The bootstrap over 20 questions of six answers that hang together within a question."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    truth = BRAND_WEIGHTS[0] / sum(BRAND_WEIGHTS)
    covered = 0
    for number in range(panels):
        interval = bootstrap_share_intervals(simulate_mention_counts(rng).tolist(), number)[0]
        covered += interval is not None and interval[0] <= truth <= interval[1]
    return _build_coverage_result("share of voice: bootstrap, 20 questions", covered / panels, 0.90, 0.97)


def simulate_mention_counts(rng: numpy.random.Generator) -> NDArray[numpy.int64]:
    """One row a question, one column a brand: each question has its own chance of naming it, then six answers draw."""
    weights = numpy.asarray(BRAND_WEIGHTS)
    of_question = rng.beta(
        weights * BETA_CONCENTRATION, (1 - weights) * BETA_CONCENTRATION, size=(QUESTIONS_PER_PANEL, BRAND_COUNT)
    )
    return rng.binomial(ANSWERS_PER_QUESTION, of_question)


def _build_coverage_result(name: str, share: float, low: float, high: float) -> BenchmarkResult:
    return BenchmarkResult(
        f"coverage of 95 % intervals, {name}", f"{low:.0%}-{high:.0%}", f"{share:.1%}", low <= share <= high
    )
