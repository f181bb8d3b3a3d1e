"""The report as a function of the answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import AnswerState
from diagnosis.reports.answers import ReportAnswer, ReportBrand
from diagnosis.reports.builder import build_report

OWN, COMPETITOR, OTHER = ReportBrand("山岚", True), ReportBrand("木石坊", False), ReportBrand("一盏", False)


def _valid(*mentioned: str, platform: str = "a") -> ReportAnswer:
    return ReportAnswer(platform, AnswerState.VALID, mentioned)


def _failed(state: AnswerState, code: str, platform: str = "a") -> ReportAnswer:
    return ReportAnswer(platform, state, (), code)


def _figures(report: dict[str, Any], name: str, platform: str | None = None) -> dict[str, Any]:
    brand: dict[str, Any] = next(brand for brand in report["brands"] if brand["name"] == name)
    figures: dict[str, Any] = brand["figures"] if platform is None else brand["by_platform"][platform]
    return figures


def test_figures_of_an_example_counted_by_hand() -> None:
    report = build_report(
        [OWN, COMPETITOR],
        [
            _valid("山岚", "木石坊"),
            _valid("木石坊"),
            _valid(platform="b"),
            _valid("木石坊", "山岚", platform="b"),
            _failed(AnswerState.FAILED, "NETWORK_TIMEOUT"),
            _failed(AnswerState.FILTERED, "CONTENT_FILTERED", platform="b"),
        ],
    )
    assert (report["planned"], report["valid"], report["failed"], report["filtered"]) == (6, 4, 1, 1)
    own = _figures(report, "山岚")
    assert (own["planned"], own["valid"], own["mentions"], own["first_mentions"]) == (6, 4, 2, 1)
    assert (own["mention_rate"], own["first_mention_rate"], own["share_of_voice"]) == (0.5, 0.25, 0.4)
    assert (own["mention_rate_low"], own["mention_rate_high"]) == pytest.approx((0.1500, 0.8500), abs=0.0001)
    assert (own["first_mention_rate_low"], own["first_mention_rate_high"]) == pytest.approx(
        (0.0456, 0.6994), abs=0.0001
    )
    rival = _figures(report, "木石坊")
    assert (rival["mentions"], rival["first_mentions"], rival["share_of_voice"]) == (3, 2, 0.6)
    assert [(brand["name"], brand["is_own"]) for brand in report["brands"]] == [("山岚", True), ("木石坊", False)]


def test_figures_by_platform_in_order_of_the_answers() -> None:
    report = build_report([OWN], [_valid("山岚", platform="b"), _valid(platform="a"), _valid("山岚", platform="a")])
    assert [counts["id"] for counts in report["platforms"]] == ["b", "a"]
    assert _figures(report, "山岚", "b")["mention_rate"] == 1
    assert _figures(report, "山岚", "a")["mention_rate"] == 0.5
    assert report["platforms"][1] == {
        **{"id": "a", "planned": 2, "valid": 2, "failed": 0, "filtered": 0, "truncated": 0, "repeated": 0},
        "without_search": 0,
    }


def test_brand_counts_once_per_answer() -> None:
    report = build_report([OWN, COMPETITOR], [_valid("山岚", "木石坊", "山岚", "山岚")])
    own = _figures(report, "山岚")
    assert (own["mentions"], own["mention_rate"], own["share_of_voice"]) == (1, 1.0, 0.5)


def test_failed_and_filtered_answers_are_in_no_denominator() -> None:
    lost = [_failed(AnswerState.FILTERED, "CONTENT_FILTERED")] * 3 + [_failed(AnswerState.FAILED, "SERVER_ERROR")] * 2
    own = _figures(build_report([OWN], [_valid("山岚"), *lost]), "山岚")
    assert (own["planned"], own["valid"], own["mention_rate"]) == (6, 1, 1.0)


def test_rates_are_unknown_without_valid_answers() -> None:
    own = _figures(build_report([OWN], [_failed(AnswerState.FAILED, "SERVER_ERROR")]), "山岚")
    unknown = {name: value for name, value in own.items() if "rate" in name or name == "share_of_voice"}
    assert set(unknown.values()) == {None}
    assert len(unknown) == 10


def test_share_of_voice_is_unknown_without_mentions() -> None:
    own = _figures(build_report([OWN, COMPETITOR], [_valid(), _valid()]), "山岚")
    assert (own["mention_rate"], own["first_mention_rate"], own["share_of_voice"]) == (0.0, 0.0, None)


def test_failures_are_counted_by_platform_and_code() -> None:
    report = build_report(
        [OWN],
        [
            _failed(AnswerState.FAILED, "NETWORK_TIMEOUT"),
            _failed(AnswerState.FAILED, "NETWORK_TIMEOUT"),
            _failed(AnswerState.FAILED, "NETWORK_TIMEOUT", "b"),
            _failed(AnswerState.FILTERED, "CONTENT_FILTERED"),
            _valid("山岚"),
        ],
    )
    assert report["failures"] == [
        {"platform": "a", "code": "NETWORK_TIMEOUT", "count": 2},
        {"platform": "b", "code": "NETWORK_TIMEOUT", "count": 1},
        {"platform": "a", "code": "CONTENT_FILTERED", "count": 1},
    ]


def test_report_without_answers_is_empty() -> None:
    report = build_report([OWN], [])
    assert (report["planned"], report["platforms"], report["failures"]) == (0, [], [])


_ANSWERS = st.lists(
    st.builds(
        ReportAnswer,
        platform=st.sampled_from("abc"),
        state=st.sampled_from([AnswerState.VALID, AnswerState.FAILED, AnswerState.FILTERED]),
        mentioned=st.lists(st.sampled_from(["山岚", "木石坊", "一盏"]), unique=True),
        error_code=st.sampled_from(["NETWORK_ERROR", "SERVER_ERROR"]),
    ),
    max_size=40,
)


@given(_ANSWERS)
def test_figures_are_consistent(answers: list[ReportAnswer]) -> None:
    report = build_report([OWN, COMPETITOR, OTHER], answers)
    assert report["valid"] + report["failed"] + report["filtered"] == report["planned"] == len(answers)
    for name in ("planned", "valid", "failed", "filtered"):
        assert sum(counts[name] for counts in report["platforms"]) == report[name]
    assert sum(failure["count"] for failure in report["failures"]) == report["failed"] + report["filtered"]
    for platform in [None, *(counts["id"] for counts in report["platforms"])]:
        figures = [_figures(report, brand.name, platform) for brand in (OWN, COMPETITOR, OTHER)]
        for own in figures:
            assert 0 <= own["first_mentions"] <= own["mentions"] <= own["valid"] <= own["planned"]
            if own["valid"]:
                assert 0 <= own["mention_rate_low"] <= own["mention_rate"] <= own["mention_rate_high"] <= 1
        assert sum(own["first_mentions"] for own in figures) <= figures[0]["valid"]
        shares = [own["share_of_voice"] for own in figures]
        assert set(shares) == {None} or sum(shares) == pytest.approx(1)


@given(_ANSWERS, st.randoms())
def test_figures_do_not_depend_on_the_order_of_answers(answers: list[ReportAnswer], random_source: Any) -> None:
    shuffled = list(answers)
    random_source.shuffle(shuffled)
    first, second = (build_report([OWN, COMPETITOR], rows)["brands"] for rows in (answers, shuffled))
    assert first == second
