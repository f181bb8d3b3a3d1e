"""Brand matching on the public case files of diagnosis/tests/cases."""

from dataclasses import replace

from bench.figures import Figure
from diagnosis.tests.cases import KNOWN, UNTOUCHED, Score, judge, read_cases

LEAST, LEAST_UNTOUCHED = 0.97, 0.93


def measure_counted() -> list[Figure]:
    """What the report's figures count: the certain mentions."""
    return _figures("mentions that are counted", certain_only=True)


def measure_uncertain() -> list[Figure]:
    """All hits; an "uncertain" is wrong where a reader is certain: how much is needlessly left to the user.

    No figure of a report counts it, so it has no promise of its own.
    """
    figures = _figures("mentions and what is left to the user as uncertain", certain_only=False)
    return [replace(one, must_be="told", is_held=True) for one in figures]


def _figures(what: str, *, certain_only: bool) -> list[Figure]:
    known, untouched = list(read_cases(KNOWN)), list(read_cases(UNTOUCHED))
    brands = {brand.name for case in [*known, *untouched] for brand in case.brands}
    return [
        _figure(
            f"brand matching, {what}: {len(known) + len(untouched)} cases, {len(brands)} brands",
            judge([*known, *untouched], certain_only=certain_only),
            LEAST,
        ),
        _figure(
            f"the same on the untouched {len(untouched)}", judge(untouched, certain_only=certain_only), LEAST_UNTOUCHED
        ),
    ]


def _figure(name: str, score: Score, least: float) -> Figure:
    measured = f"precision {score.precision:.3f}, recall {score.recall:.3f} ({score.right} of {score.expected} right)"
    is_held = score.precision >= least and score.recall >= least
    return Figure(name, f"precision and recall >= {least}", measured, is_held)
