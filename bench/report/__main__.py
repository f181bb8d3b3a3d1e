"""Run them all: `make bench-report`."""

import sys

from bench.alerts.database import use_own_database
from bench.figures import report


def main() -> int:
    """1 when a figure falls short."""
    use_own_database()
    from bench.report import coverage, matching, speed

    return report(
        "report",
        [
            matching.measure_counted,
            matching.measure_uncertain,
            coverage.measure_wilson,
            coverage.measure_bootstrap,
            coverage.measure_changes,
            speed.measure_analysis,  # before what else needs memory
            speed.measure_report,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
