"""Run them all: `make bench-report`."""

import sys

from bench.alerts.database import start_bench_database
from bench.figures import run_measurements


def main() -> int:
    """1 when a figure falls short."""
    start_bench_database()
    from bench.report import changes, coverage, matching, speed

    return run_measurements(
        "report",
        [
            matching.measure_certain_mentions,
            matching.measure_all_mentions,
            coverage.measure_wilson,
            coverage.measure_bootstrap,
            changes.measure_independent,
            changes.measure_correlated,
            changes.measure_fixed_question_rates,
            changes.measure_false_notifications,
            changes.measure_real_changes,
            speed.measure_analysis,  # before what else needs memory
            speed.measure_report,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
