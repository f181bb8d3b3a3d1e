"""Matching, coverage of intervals, changes, speed: `make bench-report`."""

import sys

from bench.environment import start_bench_database
from bench.harness import Measure, run_measurements


def main() -> int:
    """Run all measurements."""
    start_bench_database()
    # These modules need the database.
    from bench.report import interval_coverage, judged_answers, matching, significance, speed, verdicts

    measurements: list[Measure] = [
        matching.measure_certain_mentions,
        matching.measure_all_mentions,
        matching.measure_reported_cases,
        matching.measure_labelled_answers,
        matching.measure_discovery,
        interval_coverage.measure_wilson,
        interval_coverage.measure_bootstrap,
        significance.measure_independent,
        significance.measure_correlated,
        significance.measure_fixed_question_rates,
        significance.measure_false_notifications,
        significance.measure_real_changes,
        judged_answers.measure_discovery_with_judge,
        verdicts.measure_false_differences,
        verdicts.measure_detected_differences,
        speed.measure_analysis,  # first, as it measures peak memory
        speed.measure_repetition,
        speed.measure_report,
        speed.measure_correction,
    ]
    return run_measurements(
        "report", [(getattr(measure, "__name__", "").replace("_", " "), measure) for measure in measurements]
    )


if __name__ == "__main__":
    sys.exit(main())
