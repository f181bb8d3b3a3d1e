"""Brand matching on the hand-checked cases; `make bench-report` prints the same figures."""

import pytest

from testing.matching_cases import DEVELOPMENT_SET, HELD_OUT_SET, MatchingCase, read_cases, score_cases

CASES = list(read_cases(DEVELOPMENT_SET))


@pytest.mark.parametrize("case", CASES, ids=[case.location for case in CASES])
def test_a_known_case_is_right(case: MatchingCase) -> None:
    assert case.found() == case.expected


def test_the_cases_are_many_and_of_every_kind() -> None:
    cases = [*CASES, *read_cases(HELD_OUT_SET)]
    kinds = {case.category for case in cases}
    assert len(cases) >= 300
    assert len({brand.name for case in cases for brand in case.brands}) >= 60
    assert kinds >= {"width", "case", "traditional", "longest", "decoy", "boundary", "url", "ambiguous", "mixed"}
    assert len(list(read_cases(HELD_OUT_SET))) * 3 >= len(cases)


def test_what_is_counted_is_right_on_the_untouched_cases_too() -> None:
    # Uncertain hits are in no figure, so they are judged apart: see bench/report/matching.py.
    score = score_cases(read_cases(HELD_OUT_SET), certain_only=True)
    assert score.precision >= 0.93
    assert score.recall >= 0.93
