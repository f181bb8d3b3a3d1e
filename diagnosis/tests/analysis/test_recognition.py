"""Questions that name a brand: detected before the start, excluded from the mention rate."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import AnswerState
from diagnosis.models import Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.answers import ReportAnswer, ReportBrand
from diagnosis.reports.builder import build_report
from diagnosis.reports.export.content import load_export_content
from diagnosis.reports.export.tables import FIGURES_TABLE
from diagnosis.reports.print_context import build_print_context
from diagnosis.reports.service import build_report_from_database
from diagnosis.trends.service import load_comparison_data
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_valid_result, run_and_end

OWN, COMPETITOR = ReportBrand("山岚", True), ReportBrand("木石坊", False)


def _valid(*mentioned: str, question: str = "甲", platform: str = "a") -> ReportAnswer:
    return ReportAnswer(platform, AnswerState.VALID, mentioned, question=question)


def _failed(question: str) -> ReportAnswer:
    return ReportAnswer("a", AnswerState.FAILED, (), "SERVER_ERROR", question=question)


def test_unbranded_figures_exclude_questions_that_name_a_brand() -> None:
    answers = [_valid("木石坊"), _valid(), _valid("山岚", question="乙"), _valid("山岚", question="乙"), _failed("乙")]
    report = build_report([OWN, COMPETITOR], answers, named_brands={"甲": [], "乙": ["山岚"]})
    own, rival = (brand["figures"] for brand in report["brands"])
    assert (own["mentions"], own["valid"], own["planned"], own["mention_rate"]) == (0, 2, 2, 0.0)
    assert (rival["mention_rate"], rival["share_of_voice"]) == (0.5, 1.0)
    assert report["brands"][0]["by_platform"]["a"]["valid"] == 2
    assert [cell["question"] for cell in report["cells"]] == list(report["brands"][0]["by_question"]) == ["甲"]
    assert report["unbranded"] == {
        **{"planned": 2, "valid": 2, "failed": 0, "filtered": 0, "truncated": 0, "repeated": 0},
        "without_search": 0,
    }
    # Counts and failures cover all answers.
    assert (report["valid"], report["planned"], len(report["failures"])) == (4, 5, 1)


def test_recognition_has_its_own_figures() -> None:
    answers = [_valid("木石坊"), _valid("山岚", "木石坊", question="乙"), _valid(question="乙", platform="b")]
    recognition = build_report([OWN, COMPETITOR], answers, named_brands={"乙": ["山岚"]})["recognition"]
    own, rival = (brand["figures"] for brand in recognition["brands"])
    assert (own["mention_rate"], rival["mention_rate"], own["first_mentions"]) == (0.5, 0.5, 1)
    assert [(cell["platform"], cell["mentions"]["山岚"]) for cell in recognition["cells"]] == [("a", 1), ("b", 0)]
    assert (recognition["valid"], recognition["planned"]) == (2, 2)


def test_question_that_names_a_competitor_is_not_lost() -> None:
    answers = [_valid("木石坊", question="乙"), _valid("木石坊")]
    report = build_report([OWN, COMPETITOR], answers, named_brands={"乙": ["木石坊"]})
    assert [lost["question"] for lost in report["lost"]] == ["甲"]
    kinds = {question["id"]: (question["kind"], question["named"]) for question in report["questions"]}
    assert kinds == {"乙": ("recognition", ["木石坊"]), "甲": ("unbranded", [])}


def test_mention_rate_is_unknown_if_every_question_names_a_brand() -> None:
    report = build_report([OWN], [_valid("山岚")], named_brands={"甲": ["山岚"]})
    figures = report["brands"][0]["figures"]
    assert (figures["valid"], figures["mention_rate"], figures["mean_reciprocal_rank"]) == (0, None, None)
    assert report["recognition"]["brands"][0]["figures"]["mention_rate"] == 1.0
    assert (report["cells"], report["lost"], report["brands"][0]["by_platform"]["a"]["planned"]) == ([], [], 0)


def test_no_recognition_without_questions_that_name_a_brand() -> None:
    assert build_report([OWN], [_valid()], named_brands={"甲": []})["recognition"] is None


_ANSWERS = st.lists(
    st.builds(
        ReportAnswer,
        platform=st.sampled_from("ab"),
        state=st.sampled_from([AnswerState.VALID, AnswerState.FAILED, AnswerState.FILTERED]),
        mentioned=st.lists(st.sampled_from(["山岚", "木石坊"]), unique=True),
        error_code=st.just("SERVER_ERROR"),
        question=st.sampled_from("甲乙丙"),
    ),
    max_size=30,
)


@given(_ANSWERS, st.sets(st.sampled_from("甲乙丙")))
def test_every_answer_is_either_unbranded_or_recognition(answers: list[ReportAnswer], branded: set[str]) -> None:
    report = build_report([OWN, COMPETITOR], answers, named_brands={question: ["山岚"] for question in branded})
    alone = build_report([OWN, COMPETITOR], [answer for answer in answers if answer.question not in branded])
    recognition = report["recognition"] or {"planned": 0, "valid": 0, "failed": 0, "filtered": 0, "cells": []}
    for name in ("planned", "valid", "failed", "filtered"):
        assert report["unbranded"][name] + recognition[name] == report[name]
    assert [brand["figures"] for brand in report["brands"]] == [brand["figures"] for brand in alone["brands"]]
    assert (report["cells"], report["lost"]) == (alone["cells"], alone["lost"])
    assert {cell["question"] for cell in recognition["cells"]} <= branded


@pytest.mark.django_db(transaction=True)
def test_new_alias_changes_the_kind_of_a_question(client: Client, owner: AbstractUser, platform: Platform) -> None:
    questions = ["哪个手冲壶好？", "山岚怎么样？", "Shanlan 和木石坊选哪个？"]
    order = make_diagnosis(owner, [platform], questions=questions, competitors=[RequestedBrand("木石坊")])
    diagnosis = run_and_end(
        order, make_valid_result("山岚。"), make_valid_result("山岚是个品牌。"), make_failed_result()
    )
    url = f"/api/diagnoses/{diagnosis.pk}"
    report = client.get(f"{url}/report").json()
    assert [(question["kind"], question["named"]) for question in report["questions"]] == [
        ("unbranded", []),
        ("recognition", ["山岚"]),
        ("recognition", ["木石坊"]),
    ]
    assert (report["brands"][0]["figures"]["planned"], report["recognition"]["planned"]) == (1, 2)
    body = json.dumps({"kind": "alias", "brand": "山岚", "alias": "Shanlan"})
    client.post(f"{url}/corrections", body, content_type="application/json")
    named = client.get(f"{url}/report").json()["questions"][2]["named"]
    assert sorted(named) == ["山岚", "木石坊"]


@pytest.mark.django_db(transaction=True)
def test_trend_print_and_export_separate_recognition(client: Client, owner: AbstractUser, platform: Platform) -> None:
    order = make_diagnosis(owner, [platform], questions=["哪个手冲壶好？", "山岚怎么样？"])
    diagnosis = run_and_end(order, make_valid_result("都不错。"), make_valid_result("山岚好。"))
    facts = load_comparison_data([diagnosis])[diagnosis.pk]
    assert facts.count_mentions(facts.own_brand) == (0, 1)
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    unbranded, recognition = build_print_context(report, [])["questions"]
    assert [question["brands"][0]["figures"]["mentions"] for question in (unbranded, recognition)] == [0, 1]
    content = load_export_content(owner, str(diagnosis.pk))
    mentions = {row[2]: row[list(FIGURES_TABLE.columns).index("mentions")] for row in FIGURES_TABLE.rows(content)}
    assert (mentions["all"], mentions["recognition"]) == (0, 1)


def _check(client: Client, **body: Any) -> Any:
    return client.post("/api/questions/check", json.dumps(body), content_type="application/json")


@pytest.mark.django_db
def test_check_returns_the_brands_that_questions_name(client: Client) -> None:
    competitors = [{"name": "苹果", "aliases": ["Pingguo"]}]
    questions = [
        "哪个手冲壶好？",
        "ＳＨＡＮＬＡＮ怎么样？",
        "山嵐和 pingguo 选哪个？",
        "喝苹果汁好吗？",
        "shanlandia 好吗？",
    ]
    response = _check(client, brand="山岚", aliases=["Shanlan"], competitors=competitors, questions=questions)
    assert [question["named"] for question in response.json()] == [[], ["山岚"], ["山岚", "苹果"], [], []]
    assert [question["kind"] == "recognition" for question in response.json()] == [False, True, True, False, False]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("brand", "question", "expected"),
    [
        ("苹果", "苹果怎么样？", ("unbranded", [], ["苹果"])),
        ("苹果", "苹果手机怎么样？", ("recognition", ["苹果"], [])),
        ("大众", "适合大众的跑鞋有哪些？", ("unbranded", [], ["大众"])),
        ("On", "Which running shoes are on sale?", ("unbranded", [], [])),
        ("On", "Are On shoes any good?", ("recognition", ["On"], [])),
    ],
)
def test_word_in_a_question_is_asked_about(
    client: Client, brand: str, question: str, expected: tuple[str, list[str], list[str]]
) -> None:
    (checked,) = _check(client, brand=brand, questions=[question]).json()
    assert (checked["kind"], checked["named"], checked["uncertain"]) == expected


@pytest.mark.django_db(transaction=True)
def test_user_decides_whether_a_question_is_about_the_brand(owner: AbstractUser, platform: Platform) -> None:
    questions = ["苹果怎么样？", "苹果好不好？"]
    for about_brand in ([], [1]):
        diagnosis = make_diagnosis(
            owner, [platform], brand="苹果", questions=questions, questions_about_brand=about_brand
        )
        ended = run_and_end(diagnosis, make_valid_result("苹果手机。"), make_valid_result("苹果手机。"))
        kinds = [question["kind"] for question in build_report_from_database(ended)["questions"]]
        assert kinds == ["unbranded", "recognition" if about_brand else "unbranded"]


@pytest.mark.django_db
def test_check_accepts_incomplete_forms_and_rejects_invalid_input(client: Client) -> None:
    assert _check(client, questions=[]).json() == []
    assert _check(client, brand="", questions=["山岚？"]).json()[0]["kind"] == "unbranded"
    assert _check(client, brand="山岚", questions=["？"] * 21).status_code in (400, 422)
    assert _check(client, brand="\u0000", questions=["？"]).status_code in (400, 422)
    assert _check(Client(), questions=["？"]).status_code == 401
