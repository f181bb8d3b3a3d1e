"""Run all benchmarks of reports: `make bench-report`."""

import sys

from bench.alerts.database import start_bench_database
from bench.harness import run_measurements


def main() -> int:
    """Return 1 if a result misses its requirement."""
    start_bench_database()
    from bench.report import interval_coverage, matching, significance, speed

    return run_measurements(
        "report",
        [
            matching.measure_certain_mentions,
            matching.measure_all_mentions,
            interval_coverage.measure_wilson,
            interval_coverage.measure_bootstrap,
            significance.measure_independent,
            significance.measure_correlated,
            significance.measure_fixed_question_rates,
            significance.measure_false_notifications,
            significance.measure_real_changes,
            speed.measure_analysis,  # first, as it measures the growth of peak memory
            speed.measure_report,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
