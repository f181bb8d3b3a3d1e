"""Brand matching on the public case files of testing/matching_cases."""

from dataclasses import replace

from bench.harness import INFO_ONLY, BenchmarkResult
from testing.matching_cases import DEVELOPMENT_SET, HELD_OUT_SET, MatchingScore, read_cases, score_cases

MIN_SCORE, MIN_HELD_OUT_SCORE = 0.97, 0.93


def measure_certain_mentions() -> list[BenchmarkResult]:
    """What the report's figures count: the certain mentions."""
    return _build_results("mentions that are counted", certain_only=True)


def measure_all_mentions() -> list[BenchmarkResult]:
    """All hits; an "uncertain" is wrong where a reader is certain: how much is needlessly left to the user.

    No figure of a report counts it, so it has no promise of its own.
    """
    figures = _build_results("mentions and what is left to the user as uncertain", certain_only=False)
    return [replace(one, must_be=INFO_ONLY, is_held=True) for one in figures]


def _build_results(what: str, *, certain_only: bool) -> list[BenchmarkResult]:
    known, untouched = list(read_cases(DEVELOPMENT_SET)), list(read_cases(HELD_OUT_SET))
    brands = {brand.name for case in [*known, *untouched] for brand in case.brands}
    return [
        _build_result(
            f"brand matching, {what}: {len(known) + len(untouched)} cases, {len(brands)} brands",
            score_cases([*known, *untouched], certain_only=certain_only),
            MIN_SCORE,
        ),
        _build_result(
            f"the same on the untouched {len(untouched)}",
            score_cases(untouched, certain_only=certain_only),
            MIN_HELD_OUT_SCORE,
        ),
    ]


def _build_result(name: str, score: MatchingScore, min_score: float) -> BenchmarkResult:
    measured = f"precision {score.precision:.3f}, recall {score.recall:.3f} ({score.correct} of {score.expected} right)"
    is_held = score.precision >= min_score and score.recall >= min_score
    return BenchmarkResult(name, f"precision and recall >= {min_score}", measured, is_held)
