"""Share of the site with a counter, a duration and an error label, as docs/reference/metrics.md defines it."""

import sys

import django

from bench.alerts.services import own_services
from bench.figures import Figure, report

LEAST = 0.9


def measure_coverage() -> Figure:
    """the share of the site that is counted"""
    from monitoring.coverage import find_surfaces

    surfaces = find_surfaces()
    covered = sum(one.is_covered for one in surfaces)
    share = covered / len(surfaces)
    uncovered = ", ".join(f"{one.kind} {one.name}" for one in surfaces if not one.is_covered)
    measured = f"{share:.1%}: {covered} of {len(surfaces)}" + (f"; without: {uncovered}" if uncovered else "")
    return Figure("monitoring coverage", ">= 90 %", measured, share >= LEAST)


if __name__ == "__main__":
    with own_services():
        django.setup()
        sys.exit(report("alerts-coverage", [measure_coverage]))
