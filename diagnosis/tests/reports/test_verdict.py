"""The verdict: a paired comparison on the same answers, and a sentence that claims no more than it."""

from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import AnswerState
from diagnosis.reports.answers import ReportAnswer, ReportBrand
from diagnosis.reports.builder import build_report
from diagnosis.reports.paired import PairedAnswer, compare_paired, mcnemar_exact_p_value, newcombe_paired_interval
from diagnosis.reports.verdict import describe_verdict

OWN, RIVAL, OTHER = ReportBrand("山岚", True), ReportBrand("木石坊", False), ReportBrand("一盏", False)


def _answers(both: int, only_own: int, only_rival: int, neither: int, questions: int = 1) -> list[ReportAnswer]:
    """Spread each kind of answer evenly over the questions."""
    kinds = [["山岚", "木石坊"]] * both + [["山岚"]] * only_own + [["木石坊"]] * only_rival + [[]] * neither
    return [
        ReportAnswer("a", AnswerState.VALID, mentioned, question=str(number % questions))
        for number, mentioned in enumerate(kinds)
    ]


def _verdict(*answers: ReportAnswer, brands: tuple[ReportBrand, ...] = (OWN, RIVAL), **more: Any) -> dict[str, Any]:
    verdict: dict[str, Any] = build_report(brands, answers, **more)["verdict"]
    return verdict


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [((7, 7, 0, 2), 0.016), ((10, 13, 4, 3), 0.049)],  # 88 % against 44 % of 16 answers, 77 % against 47 % of 30
)
def test_difference_that_the_exact_test_shows_is_claimed(counts: tuple[int, int, int, int], p_value: float) -> None:
    assert _verdict(*_answers(*counts))["kind"] == "higher"
    verdict = _verdict(*_answers(*counts, questions=5))
    leader = verdict["leader"]
    assert (verdict["kind"], leader["method"], leader["questions"]) == ("higher", "mcnemar", 5)
    assert round(leader["p_value"], 3) == p_value
    assert 0 < leader["low"] < leader["difference"] < leader["high"]
    with override("zh-hans"):
        assert "高于木石坊" in describe_verdict(verdict)
        assert "分出高下" not in describe_verdict(verdict)


def test_lower_rate_is_claimed_the_same_way() -> None:
    verdict = _verdict(*_answers(7, 0, 7, 2))
    assert (verdict["kind"], verdict["leader"]["difference"]) == ("lower", -7 / 16)
    with override("en"):
        text = describe_verdict(verdict)
    assert text.startswith("“山岚” appears in 44% of the AI answers, behind 木石坊 (88%) by 44 percentage points, 95%")


def test_small_sample_is_undecided() -> None:
    verdict = _verdict(*_answers(1, 1, 2, 0))
    assert (verdict["kind"], verdict["rate"], verdict["rival_rate"]) == ("undecided", 0.5, 0.75)
    with override("zh-hans"):
        assert describe_verdict(verdict) == "“山岚”出现在 50% 的 AI 回答里，低于木石坊（75%），但样本还不足以分出高下。"


def test_questions_that_disagree_leave_a_large_difference_undecided() -> None:
    """All of the difference comes from one question of two: it says little about the next question."""
    answers = [ReportAnswer("a", AnswerState.VALID, ["山岚"], question="1")] * 10
    answers += [ReportAnswer("a", AnswerState.VALID, [], question="2")] * 10
    leader = _verdict(*answers)["leader"]
    assert (leader["result"], leader["p_value"]) == ("undecided", pytest.approx(0.00195, abs=1e-5))
    assert leader["low"] <= 0 < leader["high"]


def test_leading_competitor_of_several_is_compared_at_a_corrected_level() -> None:
    answers = [
        ReportAnswer("a", AnswerState.VALID, ["木石坊"] if number < 6 else [], question="1") for number in range(12)
    ]
    assert _verdict(*answers)["kind"] == "lower"  # p = 0.031
    verdict = _verdict(*answers, brands=(OWN, RIVAL, OTHER))
    assert (verdict["kind"], verdict["rivals"], verdict["leader"]["confidence"]) == ("undecided", ["木石坊"], 0.975)
    assert [comparison["rival"] for comparison in verdict["comparisons"]] == ["木石坊", "一盏"]


def test_verdict_without_a_comparison_says_why() -> None:
    failed = ReportAnswer("a", AnswerState.FAILED, question="1")
    valid = ReportAnswer("a", AnswerState.VALID, question="1")
    assert _verdict(failed)["kind"] == "no_answers"
    assert _verdict(valid)["kind"] == "not_mentioned"
    assert _verdict(*_answers(0, 1, 0, 0), brands=(OWN,))["kind"] == "no_competitors"
    assert _verdict(valid, named_brands={"1": ["山岚"]})["kind"] == "only_recognition"
    sentences = {describe_verdict(_verdict(*answers)) for answers in ([failed], [valid], _answers(1, 1, 0, 0))}
    assert len(sentences) == 3


def test_paired_interval_is_newcombes() -> None:
    # Newcombe (1998), table III, method 10.
    assert newcombe_paired_interval(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=0.0001)
    assert newcombe_paired_interval(0, 0, 0, 54) == pytest.approx((-0.0664, 0.0664), abs=0.0001)
    assert mcnemar_exact_p_value(0, 0) == mcnemar_exact_p_value(3, 3) == 1
    assert mcnemar_exact_p_value(12, 2) == pytest.approx(0.0129, abs=0.0001)


_PAIRS = st.lists(
    st.builds(PairedAnswer, st.sampled_from("abcd"), st.booleans(), st.booleans()), min_size=1, max_size=80
)


@given(_PAIRS)
def test_interval_and_test_agree_and_are_symmetric(pairs: list[PairedAnswer]) -> None:
    compared = compare_paired(pairs)
    swapped = compare_paired([PairedAnswer(pair.question, pair.second, pair.first) for pair in pairs])
    assert compared
    assert swapped
    assert -1 <= compared.low <= compared.difference <= compared.high <= 1
    assert not (compared.is_significant and compared.p_value > 0.05)
    assert (swapped.low, swapped.high) == pytest.approx((-compared.high, -compared.low))
