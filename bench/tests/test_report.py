"""Short forms of `make bench-report`: coverage of the intervals, false changes, speed of the analysis."""

from collections.abc import Callable

import pytest

from bench.harness import BenchmarkResult
from bench.report.interval_coverage import measure_bootstrap, measure_wilson
from bench.report.judged_answers import measure_discovery_with_judge
from bench.report.labelled_answers import REALISTIC, UNREAD_HALF, read_answers, score_answers
from bench.report.significance import measure_correlated, measure_independent
from bench.report.speed import measure_analysis
from bench.report.verdicts import measure_false_differences


@pytest.mark.parametrize(
    "measure", [measure_wilson, measure_bootstrap, measure_independent, measure_correlated, measure_false_differences]
)
def test_intervals_have_their_nominal_coverage(measure: Callable[[int], BenchmarkResult]) -> None:
    result = measure(400)
    assert result.is_held, result


def test_answers_are_analysed_fast_enough() -> None:
    result = measure_analysis(100)
    assert float(result.measured.split()[0]) < 2  # a hundredth of the target's 10,000, on a possibly busy machine


def test_brands_are_discovered_with_a_judge() -> None:
    for result in measure_discovery_with_judge():
        assert result.is_held, result


def test_certain_mentions_of_labelled_answers() -> None:
    scores = score_answers(list(read_answers([UNREAD_HALF], REALISTIC)))
    assert min(scores.certain.precision, scores.certain.recall) >= 0.95
    assert scores.uncertain_share <= 0.05
