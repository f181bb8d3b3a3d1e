"""Run them all: `make bench-report`."""

import sys

from bench.alerts.database import use_own_database
from bench.figures import report


def main() -> int:
    """1 when a figure falls short."""
    use_own_database()
    from bench.report import changes, coverage, matching, speed

    return report(
        "report",
        [
            matching.measure_counted,
            matching.measure_uncertain,
            coverage.measure_wilson,
            coverage.measure_bootstrap,
            changes.measure_independent,
            changes.measure_together,
            changes.measure_same_questions,
            changes.measure_notices,
            changes.measure_real_changes,
            speed.measure_analysis,  # before what else needs memory
            speed.measure_report,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
