"""Coverage of the intervals of reports, measured on simulated panels with known rates."""

import numpy
from numpy.typing import NDArray

from bench.harness import BenchmarkResult
from diagnosis.reports.bootstrap import bootstrap_share_intervals
from performance.intervals import wilson_interval

PANEL_COUNT = 2000
RANDOM_SEED = 20_240_607

BRAND_COUNT, QUESTIONS_PER_PANEL, ANSWERS_PER_QUESTION = 4, 20, 6
BRAND_WEIGHTS = (0.5, 0.4, 0.25, 0.15)  # mean mention rates over all questions
BETA_CONCENTRATION = (
    3.0  # of a beta distribution of rates: the smaller, the more the answers to one question are correlated
)


def measure_wilson(panels: int = PANEL_COUNT) -> BenchmarkResult:
    """Measure Wilson's interval on 30 to 120 independent answers with mention rates of 5 to 95 %."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    covered = 0
    for _ in range(panels):
        answers, truth = int(rng.integers(30, 121)), float(rng.uniform(0.05, 0.95))
        low, high = wilson_interval(int(rng.binomial(answers, truth)), answers)
        covered += low <= truth <= high
    return _build_coverage_result("mention rate: Wilson, >= 30 independent answers", covered / panels, 0.93, 0.97)


def measure_bootstrap(panels: int = PANEL_COUNT) -> BenchmarkResult:
    """Measure the bootstrap over 20 questions with six correlated answers each."""
    rng = numpy.random.default_rng(RANDOM_SEED)
    truth = BRAND_WEIGHTS[0] / sum(BRAND_WEIGHTS)
    covered = 0
    for number in range(panels):
        interval = bootstrap_share_intervals(simulate_mention_counts(rng).tolist(), number)[0]
        covered += interval is not None and interval[0] <= truth <= interval[1]
    return _build_coverage_result("share of voice: bootstrap, 20 questions", covered / panels, 0.90, 0.97)


def simulate_mention_counts(rng: numpy.random.Generator) -> NDArray[numpy.int64]:
    """Return counts with a row per question and a column per brand, drawn with a mention rate per question."""
    weights = numpy.asarray(BRAND_WEIGHTS)
    of_question = rng.beta(
        weights * BETA_CONCENTRATION, (1 - weights) * BETA_CONCENTRATION, size=(QUESTIONS_PER_PANEL, BRAND_COUNT)
    )
    return rng.binomial(ANSWERS_PER_QUESTION, of_question)


def _build_coverage_result(name: str, share: float, low: float, high: float) -> BenchmarkResult:
    return BenchmarkResult(
        f"coverage of 95 % intervals, {name}", f"{low:.0%}-{high:.0%}", f"{share:.1%}", low <= share <= high
    )
