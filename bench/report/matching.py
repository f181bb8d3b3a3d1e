"""Precision and recall of brand matching on the cases of testing/data/matching_cases."""

from dataclasses import replace

from bench.harness import INFO_ONLY, BenchmarkResult
from testing.data.matching_cases import DEVELOPMENT_SET, HELD_OUT_SET, MatchingScore, read_cases, score_cases

MIN_SCORE, MIN_HELD_OUT_SCORE = 0.97, 0.93


def measure_certain_mentions() -> list[BenchmarkResult]:
    """Measure certain mentions, which the figures of reports count."""
    return _build_results("certain mentions", certain_only=True)


def measure_all_mentions() -> list[BenchmarkResult]:
    """Measure all mentions, for information only, as figures do not count uncertain ones.

    An uncertain mention is wrong where a reader is certain: it leaves a decision to the user without need.
    """
    figures = _build_results("mentions and what is left to the user as uncertain", certain_only=False)
    return [replace(one, must_be=INFO_ONLY, is_held=True) for one in figures]


def _build_results(what: str, *, certain_only: bool) -> list[BenchmarkResult]:
    development, held_out = list(read_cases(DEVELOPMENT_SET)), list(read_cases(HELD_OUT_SET))
    brands = {brand.name for case in [*development, *held_out] for brand in case.brands}
    return [
        _build_result(
            f"brand matching, {what}: {len(development) + len(held_out)} cases, {len(brands)} brands",
            score_cases([*development, *held_out], certain_only=certain_only),
            MIN_SCORE,
        ),
        _build_result(
            f"the same on the {len(held_out)} held-out cases",
            score_cases(held_out, certain_only=certain_only),
            MIN_HELD_OUT_SCORE,
        ),
    ]


def _build_result(name: str, score: MatchingScore, min_score: float) -> BenchmarkResult:
    measured = f"precision {score.precision:.3f}, recall {score.recall:.3f} ({score.correct} of {score.expected})"
    is_held = score.precision >= min_score and score.recall >= min_score
    return BenchmarkResult(name, f"precision and recall >= {min_score}", measured, is_held)
