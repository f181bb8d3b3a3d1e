"""Precision and recall of brand matching: cases of testing/data/matching_cases, and labelled answers."""

from dataclasses import replace

from bench.harness import INFO_ONLY, BenchmarkResult
from bench.report.labelled_answers import HOSTILE, READ_HALF, REALISTIC, UNREAD_HALF, Score, read_answers, score_answers
from testing.data.matching_cases import (
    DEVELOPMENT_SET,
    HELD_OUT_SET,
    KINDS_SET,
    REPORTED_SET,
    MatchingScore,
    read_cases,
    read_named_brands_cases,
    score_cases,
)

MIN_SCORE, MIN_HELD_OUT_SCORE = 0.97, 0.93
MIN_REALISTIC_SCORE, MIN_HOSTILE_SCORE, MAX_UNCERTAIN_SHARE = 0.95, 0.90, 0.05
MIN_DISCOVERY_PRECISION, MIN_DISCOVERY_RECALL = 0.8, 0.6


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


def measure_reported_cases() -> list[BenchmarkResult]:
    """Measure texts that were reported as wrong, and others of the same kinds: all must be right."""
    results = []
    for name, path in (("reported texts", REPORTED_SET), ("texts of the same kinds", KINDS_SET)):
        cases = list(read_named_brands_cases(path))
        right = sum(case.find_brands() == case.expected for case in cases)
        figure, measured = f"brand matching, {len(cases)} {name}", f"{right} of {len(cases)} right"
        results.append(BenchmarkResult(figure, "all right", measured, right == len(cases)))
    return results


def measure_labelled_answers() -> list[BenchmarkResult]:
    """Measure answers that were written and labelled without sight of the matching; the half never read also alone."""
    results = []
    for kind, min_score in ((REALISTIC, MIN_REALISTIC_SCORE), (HOSTILE, MIN_HOSTILE_SCORE)):
        for name, paths in (("answers", [READ_HALF, UNREAD_HALF]), ("answers never read", [UNREAD_HALF])):
            answers = list(read_answers(paths, kind))
            figure = f"labelled answers, certain mentions: {len(answers)} {kind} {name}"
            results.append(_build_score_result(figure, score_answers(answers).certain, min_score, min_score))
    everything = [*read_answers([READ_HALF, UNREAD_HALF], REALISTIC), *read_answers([READ_HALF, UNREAD_HALF], HOSTILE)]
    share = score_answers(everything).uncertain_share
    figure, target = "mentions in all labelled answers left to the user", f"<= {MAX_UNCERTAIN_SHARE:.0%}"
    return [*results, BenchmarkResult(figure, target, f"{share:.1%}", share <= MAX_UNCERTAIN_SHARE)]


def measure_discovery() -> list[BenchmarkResult]:
    """Measure the discovery of other brands without a judge on the realistic answers."""
    return [
        _build_score_result(
            f"discovered brands without a judge, realistic {name}",
            score_answers(read_answers(paths, REALISTIC)).discovered,
            MIN_DISCOVERY_PRECISION,
            MIN_DISCOVERY_RECALL,
        )
        for name, paths in (("answers", [READ_HALF, UNREAD_HALF]), ("answers never read", [UNREAD_HALF]))
    ]


def _build_score_result(figure: str, score: Score, min_precision: float, min_recall: float) -> BenchmarkResult:
    is_held = score.precision >= min_precision and score.recall >= min_recall
    return BenchmarkResult(figure, f"precision >= {min_precision}, recall >= {min_recall}", str(score), is_held)
