"""The report's figures, counted by hand."""

from typing import Any

from diagnosis.choices import AnswerState
from diagnosis.reports.answers import ReportAnswer, ReportBrand
from diagnosis.reports.builder import build_report

OWN, RIVAL, OTHER = ReportBrand("山岚", True), ReportBrand("木石坊", False), ReportBrand("一盏", False)


def _valid(*mentioned: str, question: str = "甲", platform: str = "a", **facts: Any) -> ReportAnswer:
    return ReportAnswer(platform, AnswerState.VALID, mentioned, question=question, **facts)


def _own(report: dict[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = report["brands"][0]["figures"]
    return figures


def test_the_mean_position_is_hidden_under_five_and_the_reciprocal_rank_counts_every_answer() -> None:
    four = [_valid("木石坊", "山岚")] * 3 + [_valid("山岚")]
    own = _own(build_report([OWN, RIVAL], [*four, _valid()]))
    assert (own["mentions"], own["mean_position"], own["mean_reciprocal_rank"]) == (4, None, (0.5 * 3 + 1) / 5)
    five = _own(build_report([OWN, RIVAL], [*four, _valid("一盏", "山岚")]))
    assert five["mean_position"] == (2 * 3 + 1 + 1) / 5  # only the diagnosis's own brands have a place


def test_a_brand_with_no_voice_or_with_all_has_no_interval_of_its_share() -> None:
    answers = [_valid("山岚"), _valid("山岚", question="乙")]
    brands = build_report([OWN, RIVAL], answers)["brands"]
    assert [brand["figures"]["share_of_voice"] for brand in brands] == [1.0, 0.0]
    assert {brand["figures"]["share_of_voice_low"] for brand in brands} == {None}
    own = _own(build_report([OWN, RIVAL], [*answers, _valid("木石坊")]))
    assert own["share_of_voice_low"] < own["share_of_voice"] <= own["share_of_voice_high"]


def test_each_question_has_its_figures_its_cells_and_its_winners() -> None:
    report = build_report(
        [OWN, RIVAL, OTHER],
        [
            _valid("山岚", question="甲", platform="a"),
            _valid("木石坊", question="乙", platform="a"),
            _valid("木石坊", "一盏", "山岚", question="乙", platform="b"),
            ReportAnswer("b", AnswerState.FAILED, (), "SERVER_ERROR", question="甲"),
        ],
    )
    by_question = report["brands"][0]["by_question"]
    assert [by_question[one]["mention_rate"] for one in ("甲", "乙")] == [1.0, 0.5]
    assert [(one["id"], one["valid"], one["planned"]) for one in report["questions"]] == [("甲", 1, 2), ("乙", 2, 2)]
    cells = {(one["question"], one["platform"]): (one["valid"], one["mentions"]["山岚"]) for one in report["cells"]}
    assert cells == {("甲", "a"): (1, 1), ("乙", "a"): (1, 0), ("乙", "b"): (1, 1), ("甲", "b"): (0, 0)}
    (lost,) = report["lost"]
    assert (lost["question"], lost["mentions"], lost["winners"], lost["winners_mentions"]) == ("乙", 1, ["木石坊"], 2)


def test_what_may_be_meant_is_in_no_rate() -> None:
    own = _own(build_report([OWN], [_valid("山岚"), _valid(uncertain=("山岚",))]))
    assert (own["mentions"], own["uncertain"], own["mention_rate"]) == (1, 1, 0.5)


def test_no_cited_domain_is_not_available_and_not_none() -> None:
    answers = [_valid(domains=["a.cn", "b.cn", "a.cn"]), _valid(domains=["a.cn"]), _valid(platform="b", domains=[])]
    report = build_report([OWN], answers)
    assert report["domains"] == [{"domain": "a.cn", "answers": 2}, {"domain": "b.cn", "answers": 1}]
    assert report["domains_by_platform"]["b"] is None
    assert build_report([OWN], [_valid()])["domains"] is None


def test_it_says_for_whom_an_interval_holds() -> None:
    many, several = [_valid("山岚")] * 30, [_valid("山岚", question=str(number)) for number in range(30)]
    assert (_own(build_report([OWN], many))["scope"], _own(build_report([OWN], many[1:]))["scope"]) == (
        "population",
        "these_questions",
    )
    own = _own(build_report([OWN], several))
    assert (own["scope"], own["voice_scope"]) == ("these_questions", "population")


def test_others_are_counted_once_an_answer() -> None:
    report = build_report([OWN], [_valid(others=["小米", "小米"]), _valid(others=["华为", "小米"])])
    assert [(other["name"], other["answers"]) for other in report["others"]] == [("小米", 2), ("华为", 1)]
