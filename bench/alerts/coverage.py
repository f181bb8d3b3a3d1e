"""Share of the site with a counter, a duration and an error label, as docs/reference/metrics.md defines it."""

import sys

import django

from bench.harness import BenchmarkResult, run_measurements
from testing.services import running_services

MIN_COVERED_SHARE = 0.9


def measure_coverage() -> BenchmarkResult:
    """Measure the share of the site that is counted."""
    from monitoring.instrumentation.coverage import find_surfaces

    surfaces = find_surfaces()
    covered = sum(surface.is_covered for surface in surfaces)
    share = covered / len(surfaces)
    uncovered = ", ".join(f"{surface.kind} {surface.name}" for surface in surfaces if not surface.is_covered)
    measured = f"{share:.1%}: {covered} of {len(surfaces)}" + (f"; without: {uncovered}" if uncovered else "")
    return BenchmarkResult("monitoring coverage", ">= 90 %", measured, share >= MIN_COVERED_SHARE)


if __name__ == "__main__":
    with running_services():
        django.setup()
        sys.exit(run_measurements("alerts-coverage", [("coverage", measure_coverage)]))
