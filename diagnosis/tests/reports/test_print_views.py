"""The printable page: who may open it, what it shows, and that it is the report and nothing else."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.export import print_tickets
from diagnosis.reports.print_context import TextSpan, build_rate_bar, format_percent, split_by_mentions
from testing.diagnosis_rows import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    order = make_diagnosis(
        owner,
        [platform, make_platform("second")],
        questions=["甲？", "乙？"],
        competitors=[RequestedBrand("木石坊")],
    )
    return run_and_end(
        order,
        make_valid_result("山岚和木石坊。"),
        make_valid_result("木石坊。"),
        make_valid_result("都一般。"),
        make_failed_result(FailureReason.FILTERED),
    )


def _page(client: Client, diagnosis: Diagnosis, query: str = "") -> Any:
    return client.get(f"/diagnoses/{diagnosis.pk}/print/{query}")


def _ticket(client: Client, diagnosis: Diagnosis) -> Any:
    return client.post(f"/api/diagnoses/{diagnosis.pk}/print")


def test_it_shows_figures_drawings_questions_failures_and_answers(client: Client, diagnosis: Diagnosis) -> None:
    page = _page(client, diagnosis)
    body = page.content.decode()
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    own = report["brands"][0]["figures"]
    assert f"<b>{format_percent(own['mention_rate'])}</b>" in body
    for end_of in ("low", "high"):
        assert f'x1="{own[f"mention_rate_{end_of}"] * 100:.2f}%"' in body
    assert body.count("<article") == 4
    assert '<mark class="own">山岚</mark>和<mark class="rival">木石坊</mark>。' in body
    assert "木石坊领先" in body
    assert report["failures"][0]["title"] in body
    assert 'data-label="由 AI 生成，仅供参考"' in body
    assert '<meta name="AIGC" content="{&quot;Label&quot;:&quot;1&quot;' in body
    assert "演示" not in body
    assert page["Cache-Control"] == "private, no-store"


def test_only_who_may_see_the_diagnosis_opens_it(
    client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    assert _page(client_of_stranger, diagnosis).status_code == 404
    assert _page(client_of_staff, diagnosis).status_code == 200
    asked = _page(Client(), diagnosis)
    assert (asked.status_code, asked["Location"].partition("?")[0]) == (302, "/accounts/login/")


def test_a_ticket_opens_its_own_diagnosis_for_five_minutes(
    client: Client, client_of_stranger: Client, owner: AbstractUser, platform: Platform, diagnosis: Diagnosis
) -> None:
    given = _ticket(client, diagnosis).json()
    assert Client().get(given["url"]).status_code == 200
    ticket = given["url"].partition("?")[2]
    other = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    assert _page(Client(), other, f"?{ticket}").status_code == 302
    assert _ticket(client_of_stranger, diagnosis).status_code == 404
    later = timezone.now() + timedelta(seconds=print_tickets.PRINT_TICKET_TTL_SECONDS + 1)
    with mock.patch("django.core.signing.time.time", return_value=later.timestamp()):
        assert Client().get(given["url"]).status_code == 302


def test_a_ticket_of_what_is_gone_opens_nothing(client: Client, diagnosis: Diagnosis) -> None:
    given = _ticket(client, diagnosis).json()
    diagnosis.delete()
    assert Client().get(given["url"]).status_code == 404


def test_what_still_runs_is_not_printed(client: Client, owner: AbstractUser, platform: Platform) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    assert _page(client, running).status_code == 409
    assert "诊断" in _page(client, running).content.decode()
    assert _ticket(client, running).json()["code"] == "DIAGNOSIS_RUNNING"


def test_a_report_without_a_single_answer_is_printed_too(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    body = _page(client, run_and_end(make_diagnosis(owner, [platform]), make_failed_result())).content.decode()
    assert "各品牌的可见度" not in body
    assert "没有得到的回答" in body


def test_marks_are_cut_by_code_points_and_an_uncertain_hit_is_no_mark() -> None:
    mentions = [["甲", 2, 3], ["乙", 2, 4], ["丙", 5, 6, "uncertain"], ["丁", 90, 91], ["己", 7, 8, "confirmed"]]
    assert split_by_mentions("😀a甲bc丙d己", mentions, {"甲"}) == [
        TextSpan("😀a"),
        TextSpan("甲", "甲", True),
        TextSpan("bc丙d"),
        TextSpan("己", "己"),
    ]


def test_a_rate_without_an_interval_is_drawn_as_a_point_and_an_unknown_one_not_at_all() -> None:
    figures = {"share_of_voice": 0.5, "share_of_voice_low": None, "share_of_voice_high": None}
    drawn = build_rate_bar(figures, "share_of_voice")
    assert drawn
    assert (drawn.value, drawn.low, drawn.high, drawn.text, drawn.range) == ("50.00%", "50.00%", "50.00%", "50%", "")
    assert build_rate_bar(dict.fromkeys(figures), "share_of_voice") is None
