"""Brand matching on annotated cases; `make bench-report` prints precision and recall."""

from pathlib import Path

import pytest

from testing.data.matching_cases import (
    DEVELOPMENT_SET,
    HELD_OUT_SET,
    KINDS_SET,
    REPORTED_SET,
    MatchingCase,
    read_cases,
    read_named_brands_cases,
    score_cases,
)

CASES = list(read_cases(DEVELOPMENT_SET))


@pytest.mark.parametrize("case", CASES, ids=[case.location for case in CASES])
def test_development_case(case: MatchingCase) -> None:
    assert case.find_mentions() == case.expected


def test_cases_cover_every_category() -> None:
    cases = [*CASES, *read_cases(HELD_OUT_SET)]
    categories = {case.category for case in cases}
    assert len(cases) >= 300
    assert len({brand.name for case in cases for brand in case.brands}) >= 60
    assert categories >= {"width", "case", "traditional", "longest", "decoy", "boundary", "url", "ambiguous", "mixed"}
    assert len(list(read_cases(HELD_OUT_SET))) * 3 >= len(cases)


def test_precision_and_recall_on_held_out_cases() -> None:
    # Uncertain mentions are in no figure; bench/report/matching.py measures them separately.
    score = score_cases(read_cases(HELD_OUT_SET), certain_only=True)
    assert score.precision >= 0.93
    assert score.recall >= 0.93


@pytest.mark.parametrize("path", [REPORTED_SET, KINDS_SET], ids=lambda path: path.stem)
def test_certain_brands_of_every_kind(path: Path) -> None:
    cases = list(read_named_brands_cases(path))
    wrong = [(case.kind, case.text, set(case.find_brands())) for case in cases if case.find_brands() != case.expected]
    assert wrong == []
