"""The verdict of a report: how the own brand compares with the leading competitor, as data and as a sentence.

Page, mini-program, print view, export and terminal show the same sentence. It claims a difference only if the data do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _

from diagnosis.reports.formatting import format_percent
from diagnosis.reports.intervals import CONFIDENCE_LEVEL, compute_rate
from diagnosis.reports.paired import PairedAnswer, PairedDifference, compare_paired
from diagnosis.reports.schemas import RivalDifferenceOut, VerdictKind


@dataclass(frozen=True)
class AnswerMentions:
    """A valid answer to a question, and the brands that it certainly mentions."""

    question: str
    brands: Sequence[str]


def build_unknown_verdict(kind: VerdictKind, brand: str | None = None, answers: int = 0) -> dict[str, Any]:
    """Return a verdict without figures."""
    unknown: dict[str, Any] = {
        "rate": None,
        "answers": answers,
        "rivals": [],
        "rival_rate": None,
        "leader": None,
        "comparisons": [],
    }
    return {"kind": kind, "brand": brand, **unknown}


def build_verdict(
    own: str | None, rivals: Sequence[str], answers: Sequence[AnswerMentions], *, is_only_recognition: bool = False
) -> dict[str, Any]:
    """Return the verdict as stored, without its text.

    answers: the valid ones to questions that name no brand. is_only_recognition: every question names a brand.
    """
    if is_only_recognition:
        return build_unknown_verdict("only_recognition", own)
    if own is None or not answers:
        return build_unknown_verdict("not_analysed" if answers else "no_answers", own, len(answers))
    own_mentions = sum(own in answer.brands for answer in answers)
    verdict = build_unknown_verdict("no_competitors", own, len(answers))
    verdict["rate"] = compute_rate(own_mentions, len(answers))
    comparisons = [_compare(own, rival, answers, competitor_count=len(rivals)) for rival in rivals]
    if not own_mentions and not any(comparison.rival_rate for comparison in comparisons):
        verdict["kind"] = "not_mentioned"
    if comparisons:
        best = max(comparison.rival_rate for comparison in comparisons)
        leaders = [comparison for comparison in comparisons if comparison.rival_rate == best]
        # Equal rates can rest on different answers: the least certain comparison decides.
        leader = max(leaders, key=lambda comparison: (comparison.result == "undecided", comparison.p_value))
        verdict |= {
            "rivals": [comparison.rival for comparison in leaders],
            "rival_rate": best,
            "leader": leader.model_dump(),
            "comparisons": [comparison.model_dump() for comparison in comparisons],
        }
        if verdict["kind"] != "not_mentioned":
            verdict["kind"] = leader.result
    return verdict


def _compare(own: str, rival: str, answers: Sequence[AnswerMentions], *, competitor_count: int) -> RivalDifferenceOut:
    """Compare with one competitor, at a confidence level corrected for their number (Bonferroni)."""
    pairs = [PairedAnswer(answer.question, own in answer.brands, rival in answer.brands) for answer in answers]
    compared = compare_paired(pairs, 1 - (1 - CONFIDENCE_LEVEL) / competitor_count)
    assert compared
    return RivalDifferenceOut(
        rival=rival,
        rival_rate=sum(pair.second for pair in pairs) / len(pairs),
        result=_get_result(compared),
        difference=compared.difference,
        low=compared.low,
        high=compared.high,
        confidence=compared.confidence,
        p_value=compared.p_value,
        only_own=compared.only_first,
        only_rival=compared.only_second,
        answers=compared.answers,
        questions=compared.questions,
        method=compared.method,
    )


def _get_result(compared: PairedDifference) -> Literal["higher", "lower", "undecided"]:
    if not compared.is_significant:
        return "undecided"
    return "higher" if compared.difference > 0 else "lower"


def describe_verdict(verdict: dict[str, Any]) -> str:
    """Return the verdict as one sentence in the current language."""
    values = {
        "brand": verdict["brand"],
        "valid": verdict["answers"],
        "rate": format_percent(verdict["rate"]),
        "comparison": _describe_comparison(verdict),
    }
    sentences = {
        "not_analysed": _("回答已经存好，但这一次没能算出数字。"),
        "only_recognition": _("每个问题都写了品牌名，测不出提及率。"),
        "no_answers": _("这一次没有得到可用的回答，还不能下结论。"),
        "not_mentioned": _("%(valid)s 条有效回答里，没有一条提到“%(brand)s”，也没有提到竞品。")
        if verdict["rivals"]
        else _("%(valid)s 条有效回答里，没有一条提到“%(brand)s”。"),
        "no_competitors": _("“%(brand)s”出现在 %(rate)s 的 AI 回答里。"),
    }
    template = sentences.get(verdict["kind"], _("“%(brand)s”出现在 %(rate)s 的 AI 回答里，%(comparison)s。"))
    return template % values


def _describe_comparison(verdict: dict[str, Any]) -> str:
    leader = verdict["leader"]
    if leader is None:
        return ""
    sign = -1 if leader["result"] == "lower" else 1
    low, high = sorted((sign * leader["low"], sign * leader["high"]))
    values = {
        "rivals": _("、").join(verdict["rivals"]),
        "rate": format_percent(leader["rival_rate"]),
        "points": f"{sign * leader['difference'] * 100:.0f}",
        "low": f"{low * 100:.0f}",
        "high": f"{high * 100:.0f}",
        "confidence": f"{leader['confidence'] * 100:.3g}%",
    }
    if leader["result"] == "higher":
        return _("高于%(rivals)s（%(rate)s）：差 %(points)s 个百分点，%(confidence)s 区间 %(low)s 到 %(high)s") % values
    if leader["result"] == "lower":
        return _("低于%(rivals)s（%(rate)s）：差 %(points)s 个百分点，%(confidence)s 区间 %(low)s 到 %(high)s") % values
    if not leader["rival_rate"]:
        return _("没有提到竞品，但样本还不足以分出高下") % values
    if not leader["difference"]:
        return _("与%(rivals)s相同，样本不足以分出高下") % values
    if leader["difference"] > 0:
        return _("高于%(rivals)s（%(rate)s），但样本还不足以分出高下") % values
    return _("低于%(rivals)s（%(rate)s），但样本还不足以分出高下") % values
