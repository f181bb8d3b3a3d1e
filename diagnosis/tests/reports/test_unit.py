"""What counts: complete answers with the search that was asked for; equal repeats are told."""

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.choices import PlatformSurface, Ternary
from diagnosis.models import Diagnosis
from diagnosis.replies import PlatformReply, SearchRecord
from diagnosis.running.results import CallResult
from diagnosis.trends.service import load_comparison_data
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)


def _result(text: str, **reply: Any) -> CallResult:
    return CallResult(PlatformReply(text, "model-1", **reply), None, 1, 5)


def test_truncated_and_repeated_answers_are_counted_apart(client: Client, owner: AbstractUser) -> None:
    diagnosis = make_diagnosis(owner, [make_platform()], questions=["甲？", "乙？"], repeats=2)
    same = "山岚不错。"
    diagnosis = run_and_end(
        diagnosis, _result(same), _result("山岚和", is_truncated=True), _result(same), _result("都行。")
    )
    body = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    counts = ("planned", "valid", "truncated", "repeated", "without_search", "failed")
    assert [body[name] for name in counts] == [4, 3, 1, 1, 0, 0]
    figures = body["brands"][0]["figures"]
    assert (figures["mentions"], figures["valid"]) == (2, 3)
    answers = client.get(f"/api/diagnoses/{diagnosis.pk}/answers").json()["items"]
    assert sorted(answer["text"] for answer in answers if answer["truncated"]) == ["山岚和"]
    _assert_trend_counts(diagnosis, valid=3)


def test_answer_without_the_requested_search_is_counted_apart(client: Client, owner: AbstractUser) -> None:
    platform = make_platform(surface=PlatformSurface.SEARCH)
    searched, did_not = SearchRecord(True, False, Ternary.YES, 1), SearchRecord(True, False, Ternary.NO)
    diagnosis = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]),
        _result("山岚不错。", surface=PlatformSurface.SEARCH, search=searched),
        _result("木石坊不错。", surface=PlatformSurface.SEARCH, search=did_not),
    )
    body = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert [body[name] for name in ("valid", "without_search")] == [1, 1]
    assert body["brands"][0]["figures"]["mention_rate"] == 1
    assert "联网搜索" in body["method"]["surface_labels"][platform.pk]
    _assert_trend_counts(diagnosis, valid=1)


def test_guessed_brands_are_marked(client: Client, owner: AbstractUser) -> None:
    text = "推荐这几款：\n1. 山岚：稳。\n2. Kettlewood：轻。\n3. Fellow：准。\n小米手机也有。"
    diagnosis = run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result(text))
    others = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["others"]
    by_name = {other["name"]: other["is_guess"] for other in others}
    assert by_name["小米"] is False
    assert by_name["Kettlewood"] is True


def _assert_trend_counts(diagnosis: Diagnosis, *, valid: int) -> None:
    """The trend counts the same answers, from the report and from the answers of a report without cells."""
    reports: tuple[Any, ...] = (diagnosis.report, {})
    for report in reports:
        Diagnosis.objects.filter(pk=diagnosis.pk).update(report=report)
        data = load_comparison_data([diagnosis])[diagnosis.pk]
        assert data.count_mentions("山岚")[1] == valid
