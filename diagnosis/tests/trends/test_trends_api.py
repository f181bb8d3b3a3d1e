"""Trends of a panel and comparisons of two diagnoses."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.analysis.mentions import MATCHER_VERSION
from diagnosis.choices import DiagnosisStatus, PlatformSurface, Ternary
from diagnosis.corrections.services import add_alias
from diagnosis.models import Answer, Diagnosis, Platform, RunSummary
from diagnosis.orders.retries import create_retry
from diagnosis.orders.services import RequestContext, RequestedBrand
from diagnosis.replies import PlatformReply, SearchRecord
from diagnosis.running.results import CallResult
from diagnosis.trends import service
from testing.data.diagnoses import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
)

QUESTIONS = [f"问题 {number}？" for number in range(10)]


def _ended(owner: AbstractUser, platform: Platform, named: int, **order: Any) -> Diagnosis:
    """Ten questions asked three times. The first `named` answers mention the brand, all its competitor."""
    usual: dict[str, Any] = {"questions": QUESTIONS, "repeats": 3, "competitors": [RequestedBrand("木石坊")]}
    diagnosis = make_diagnosis(owner, [platform], **(usual | order))
    texts = ["山岚和木石坊都好。"] * named + ["木石坊好。"] * (diagnosis.planned - named)
    return run_and_end(diagnosis, *map(make_valid_result, texts))


def _find_changes(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    return RunSummary.objects.get(diagnosis=diagnosis).list_significant_changes()


def _trend(client: Client, diagnosis: Diagnosis) -> Any:
    response = client.get(f"/api/diagnoses/{diagnosis.pk}/trend")
    assert response.status_code == 200, response.content
    return response.json()


def test_trend_is_oldest_first_and_detects_a_rise(client: Client, owner: AbstractUser, platform: Platform) -> None:
    made = [_ended(owner, platform, named) for named in (3, 4, 28)]
    _ended(owner, platform, 1, brand="山岚", questions=["别的？"], repeats=1)
    body = _trend(client, made[0])
    assert [point["id"] for point in body["points"]] == [str(diagnosis.pk) for diagnosis in made]
    own, rival = body["points"][2]["brands"]
    assert own | {"low": 0, "high": 0} == {
        "name": "山岚", "is_own": True, "mentions": 28, "valid": 30, "rate": 28 / 30, "low": 0, "high": 0,
    }  # fmt: skip
    assert own["low"] < own["rate"] < own["high"]
    assert (rival["name"], rival["rate"]) == ("木石坊", 1.0)
    directions = [[change["changed"] for change in step["brands"]] for step in body["changes"]]
    assert directions == [["none", "none"], ["up", "none"]]
    rise = body["changes"][1]["brands"][0]
    assert (rise["valid_before"], rise["valid_after"], rise["cells"], rise["questions"]) == (30, 30, 10, 10)
    assert rise["low"] > 0
    assert rise["difference"] == pytest.approx(24 / 30)


def test_alias_or_correction_in_one_report_is_no_change(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    before, after = _ended(owner, platform, 3), _ended(owner, platform, 3)
    Answer.objects.filter(diagnosis=after, text="木石坊好。").update(text="木石坊好，Shanlan也好。")
    add_alias(after, "山岚", "Shanlan", owner)
    (step,) = _trend(client, after)["changes"]
    own, rival = step["brands"]
    assert own["difference"] == pytest.approx(27 / 30)
    assert (own["changed"], own["counted_differently"]) == ("none", True)
    assert (rival["changed"], rival["counted_differently"]) == ("none", False)
    assert _find_changes(after) == []
    add_alias(before, "山岚", "SHANLAN", owner)
    (step,) = _trend(client, after)["changes"]
    assert (step["brands"][0]["changed"], step["brands"][0]["counted_differently"]) == ("up", False)


def test_answers_of_an_older_matcher_are_counted_differently(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    before, after = _ended(owner, platform, 3), _ended(owner, platform, 28)
    Answer.objects.filter(diagnosis=before).update(matcher_version=MATCHER_VERSION - 1)
    (step,) = _trend(client, after)["changes"]
    compared = client.get("/api/compare", {"a": str(before.pk), "b": str(after.pk)}).json()
    for own, rival in (step["brands"], compared["changes"]):
        assert own["difference"] == pytest.approx(25 / 30)
        assert {(change["changed"], change["counted_differently"]) for change in (own, rival)} == {("none", True)}
    Answer.objects.filter(diagnosis=before).update(matcher_version=MATCHER_VERSION)
    (step,) = _trend(client, after)["changes"]
    assert (step["brands"][0]["changed"], step["brands"][0]["counted_differently"]) == ("up", False)


def test_trend_has_ended_diagnoses_with_answers_and_retries_replace_their_source(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    order: dict[str, Any] = {"questions": ["甲？", "乙？"]}
    source = run_and_end(make_diagnosis(owner, [platform], **order), make_valid_result(), make_failed_result())
    run_and_end(make_diagnosis(owner, [platform], **order), make_failed_result(), make_failed_result())
    begin_and_record(make_diagnosis(owner, [platform], **order), make_valid_result())
    cancelled = run_and_end(
        make_diagnosis(owner, [platform], **order), make_valid_result(), status=DiagnosisStatus.CANCELLED
    )
    assert [point["id"] for point in _trend(client, source)["points"]] == [str(source.pk), str(cancelled.pk)]
    retry, _is_new = create_retry(source, RequestContext(owner))
    run_and_end(retry, make_valid_result())
    assert [point["id"] for point in _trend(client, source)["points"]] == [str(cancelled.pk), str(retry.pk)]


def test_trend_excludes_diagnoses_of_other_owners(
    client: Client,
    client_of_stranger: Client,
    client_of_staff: Client,
    owner: AbstractUser,
    stranger: AbstractUser,
    platform: Platform,
) -> None:
    own = _ended(owner, platform, 3)
    _ended(stranger, platform, 3)
    for viewer in (client, client_of_staff):
        assert [point["id"] for point in _trend(viewer, own)["points"]] == [str(own.pk)]
    assert client_of_stranger.get(f"/api/diagnoses/{own.pk}/trend").status_code == 404
    assert client.get(f"/api/diagnoses/{uuid.uuid4()}/trend").status_code == 404
    assert Client().get(f"/api/diagnoses/{own.pk}/trend").status_code == 401


@pytest.mark.parametrize("stored", [None, {}, [], {"cells": []}, {"cells": [1]}, {"cells": [{"question": "x"}]}])
def test_trend_with_reports_of_older_versions_is_the_same(
    client: Client, owner: AbstractUser, platform: Platform, stored: Any
) -> None:
    made = [_ended(owner, platform, named) for named in (3, 28)]
    new = _trend(client, made[0])
    Diagnosis.objects.filter(pk=made[0].pk).update(report=stored)
    assert _trend(client, made[0]) == new


def test_missing_panel_is_filled_when_the_trend_is_read(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    made = [_ended(owner, platform, named) for named in (3, 4)]
    Diagnosis.objects.filter(pk=made[0].pk).update(panel="")
    assert len(_trend(client, made[0])["points"]) == 2


def test_long_trend_is_limited_and_takes_few_queries(
    client: Client, owner: AbstractUser, platform: Platform, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(service, "MAX_TREND_POINTS", 3)
    order: dict[str, Any] = {"questions": ["甲？"], "repeats": 1}
    made = [_ended(owner, platform, 1, **order) for _number in range(4)]
    # session, user, workspaces and diagnosis, workspaces and members, brands, corrections, questions, cells, models
    with django_assert_max_num_queries(11):
        body = _trend(client, made[0])
    assert body["has_more"]
    assert [point["id"] for point in body["points"]] == [str(diagnosis.pk) for diagnosis in made[1:]]
    Diagnosis.objects.update(report=None)
    with django_assert_max_num_queries(12):  # and the answers
        assert _trend(client, made[0])["points"] == body["points"]


def _compare(client: Client, first: Diagnosis, second: Diagnosis) -> Any:
    return client.get("/api/compare", {"a": str(first.pk), "b": str(second.pk)})


def test_comparison_uses_the_common_part_and_lists_the_rest(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    other = make_platform("other")
    before = _ended(owner, platform, 2)
    after = make_diagnosis(
        owner,
        [platform, other],
        questions=[*QUESTIONS[:8], "新问题？"],
        repeats=3,
        competitors=[RequestedBrand("清川")],
    )
    after = run_and_end(after, *[make_valid_result("山岚好。")] * after.planned)
    body = _compare(client, before, after).json()
    assert body["common"] == {
        "questions": QUESTIONS[:8], "platforms": [platform.pk], "brands": ["山岚"], "cells": 8
    }  # fmt: skip
    assert body["only_before"] == {"questions": QUESTIONS[8:], "platforms": [], "brands": ["木石坊"]}
    assert body["only_after"] == {"questions": ["新问题？"], "platforms": ["other"], "brands": ["清川"]}
    (change,) = body["changes"]
    assert (change["name"], change["changed"], change["valid_before"], change["valid_after"]) == ("山岚", "up", 24, 24)
    (counts,) = body["platforms"]
    assert (counts["before"], counts["after"]) == ({"mentions": 2, "valid": 24}, {"mentions": 24, "valid": 24})
    by_text = {question["text"]: question for question in body["questions"]}
    assert set(by_text) == set(QUESTIONS[:8])
    for text, question in by_text.items():
        ids = [str(diagnosis.questions.get(text=text).pk) for diagnosis in (before, after)]
        assert [question["before"], question["after"]] == ids
    named_before = [question["cells"][0]["before"]["mentions"] for question in body["questions"]]
    assert named_before == sorted(named_before)  # all are named afterwards: the largest differences come first
    back = _compare(client, after, before).json()["changes"][0]
    assert (back["changed"], back["difference"]) == ("down", -change["difference"])


def test_comparison_without_common_cells_has_no_change(client: Client, owner: AbstractUser, platform: Platform) -> None:
    before, after = _ended(owner, platform, 3), _ended(owner, platform, 1, questions=["别的？"], repeats=1)
    body = _compare(client, before, after).json()
    assert body["common"]["cells"] == 0
    assert [(change["changed"], change["difference"]) for change in body["changes"]] == [("none", None)] * 2


def test_comparison_requires_two_visible_ended_diagnoses(
    client: Client, client_of_stranger: Client, owner: AbstractUser, stranger: AbstractUser, platform: Platform
) -> None:
    own, foreign = _ended(owner, platform, 3), _ended(stranger, platform, 3)
    running = make_diagnosis(owner, [platform])
    assert _compare(client, own, foreign).status_code == 404
    assert _compare(client, foreign, own).status_code == 404
    assert _compare(client_of_stranger, own, foreign).status_code == 404
    assert _compare(client, own, running).json()["code"] == "DIAGNOSIS_RUNNING"
    same = _compare(client, own, own)
    assert (same.status_code, list(same.json()["fields"])) == (422, ["b"])
    assert client.get("/api/compare", {"a": "x", "b": str(own.pk)}).status_code == 404
    assert client.get("/api/compare").status_code == 422


def test_significant_changes_are_corrected_for_the_number_of_brands(owner: AbstractUser, platform: Platform) -> None:
    first = _ended(owner, platform, 3)
    assert _find_changes(first) == []
    assert _find_changes(_ended(owner, platform, 4)) == []
    (change_found,) = _find_changes(_ended(owner, platform, 28))
    assert (change_found["name"], change_found["is_own"], change_found["changed"]) == ("山岚", True, "up")
    # With two brands the level is 97.5 %, so the interval is wider than the trend's.
    (shown, _rival) = service.build_trend(first, owner)["changes"][-1]["brands"]
    assert change_found["low"] < shown["low"]


def test_spellings_of_a_brand_are_unified(client: Client, owner: AbstractUser, platform: Platform) -> None:
    order: dict[str, Any] = {"questions": ["甲？"], "repeats": 1}
    made = [
        _ended(owner, platform, 1, brand=brand, competitors=[RequestedBrand(rival)], **order)
        for brand, rival in (("SHANLAN", "MUSHI"), ("Shanlan", "Mushi"))
    ]
    body = _trend(client, made[0])
    assert [[brand["name"] for brand in point["brands"]] for point in body["points"]] == [["Shanlan", "Mushi"]] * 2
    assert _compare(client, *made).json()["only_before"]["brands"] == []


SEARCHED = SearchRecord(True, False, Ternary.YES, 1)


def _measured(owner: AbstractUser, platform: Platform, named: int, **reply: Any) -> Diagnosis:
    """Ten questions asked three times, with these facts in each reply; the first `named` answers mention the brand."""
    diagnosis = make_diagnosis(owner, [platform], questions=QUESTIONS, repeats=3)
    facts = {"model": "model-1", "requested_model": "m", "params_hash": "a"} | reply
    texts = ["山岚好。"] * named + ["都好。"] * (diagnosis.planned - named)
    return run_and_end(diagnosis, *(CallResult(PlatformReply(text, **facts), None, 1, 5) for text in texts))


@pytest.mark.parametrize(
    ("what", "reply", "values"),
    [
        ("model", {"model": "model-2"}, (["model-1"], ["model-2"])),
        ("requested_model", {"requested_model": "n"}, (["m"], ["n"])),
        ("parameters", {"params_hash": "b"}, (["a"], ["b"])),
    ],
)
def test_another_way_of_asking_breaks_the_line_and_is_named(
    client: Client, owner: AbstractUser, platform: Platform, what: str, reply: dict[str, Any], values: Any
) -> None:
    made = [_measured(owner, platform, 3), _measured(owner, platform, 28, **reply)]
    (step,) = _trend(client, made[0])["changes"]
    names = {"platform": platform.pk, "name": platform.name}
    assert step["breaks"] == [{**names, "what": what, "before": values[0], "after": values[1]}]
    (own,) = step["brands"]
    assert (own["changed"], own["measured_differently"], own["counted_differently"]) == ("none", True, False)
    assert own["difference"] == pytest.approx(25 / 30)
    assert _compare(client, *made).json()["breaks"] == step["breaks"]
    assert _find_changes(made[1]) == []


def test_what_an_older_answer_does_not_record_is_no_break(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    made = [_measured(owner, platform, 3, requested_model="", params_hash=""), _measured(owner, platform, 28)]
    (step,) = _trend(client, made[0])["changes"]
    assert (step["breaks"], step["brands"][0]["changed"]) == ([], "up")


def test_surfaces_are_separate_lines(client: Client, owner: AbstractUser, platform: Platform) -> None:
    def order(named: int) -> Diagnosis:
        platforms = [platform, Platform.objects.get(pk="search")]
        diagnosis = make_diagnosis(owner, platforms, questions=QUESTIONS)
        answers = diagnosis.answers.order_by("question__position", "platform__position")
        results = []
        for number, answer in enumerate(answers):
            is_search = answer.platform_id == "search"
            surface = PlatformSurface.SEARCH if is_search else PlatformSurface.MEMORY
            text = "山岚好。" if not is_search or number // 2 < named else "都好。"
            reply = PlatformReply(text, "m", surface=surface, search=SEARCHED if is_search else SearchRecord())
            results.append(CallResult(reply, None, 1, 5))
        return run_and_end(diagnosis, *results)

    make_platform("search", surface=PlatformSurface.SEARCH)
    made = [order(0), order(10)]
    body = _trend(client, made[0])
    assert (body["surface"], body["surfaces"]) == ("search", ["search", "memory"])
    rates = [(own["rate"], own["valid"]) for own in (point["brands"][0] for point in body["points"])]
    assert rates == [(0, 10), (1, 10)]
    assert body["changes"][0]["brands"][0]["changed"] == "up"
    memory = client.get(f"/api/diagnoses/{made[0].pk}/trend?surface=memory").json()
    assert [point["brands"][0]["rate"] for point in memory["points"]] == [1, 1]
    compared = client.get("/api/compare", {"a": str(made[0].pk), "b": str(made[1].pk), "surface": "memory"}).json()
    assert (compared["common"]["platforms"], compared["common"]["cells"]) == ([platform.pk], 10)


def test_a_platform_that_searches_from_now_on_is_another_measurement(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    before = _measured(owner, platform, 28)
    after = _measured(owner, platform, 3, surface=PlatformSurface.SEARCH, search=SEARCHED)
    body = _trend(client, after)
    assert [point["brands"][0]["rate"] for point in body["points"]] == [None, 0.1]
    (step,) = body["changes"]
    assert [item["what"] for item in step["breaks"]] == ["surface"]
    assert (step["brands"][0]["difference"], step["brands"][0]["measured_differently"]) == (None, True)
    assert _compare(client, before, after).json()["common"]["cells"] == 0
