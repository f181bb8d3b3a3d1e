"""The printable page: access, tickets, contents."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.corrections.services import MentionSpan, add_alias, confirm_or_reject_mention
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.export import print_tickets
from diagnosis.reports.formatting import format_percent
from diagnosis.reports.print_context import TextSpan, build_rate_bar, split_by_mentions
from diagnosis.reports.service import build_report_from_database
from testing.data.diagnoses import (
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


def _get_page(client: Client, diagnosis: Diagnosis, query: str = "") -> Any:
    return client.get(f"/diagnoses/{diagnosis.pk}/print/{query}")


def _request_ticket(client: Client, diagnosis: Diagnosis) -> Any:
    return client.post(f"/api/diagnoses/{diagnosis.pk}/print")


def test_page_shows_figures_questions_failures_and_answers(client: Client, diagnosis: Diagnosis) -> None:
    page = _get_page(client, diagnosis)
    body = page.content.decode()
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    own = report["brands"][0]["figures"]
    assert f"<b>{format_percent(own['mention_rate'])}</b>" in body
    for bound in ("low", "high"):
        assert f'x1="{own[f"mention_rate_{bound}"] * 100:.2f}%"' in body
    assert body.count("<article") == 3
    assert "另有 1 条没有得到可用的回答" in body  # no block for it
    assert report["verdict"]["text"] in body
    assert "API，只凭模型记忆" in body
    assert body.count('<td data-level="') == body.count(" / 1</td>") > 0
    assert '<mark class="own">山岚</mark>和<mark class="rival">木石坊</mark>。' in body
    assert "木石坊领先" in body
    assert report["failures"][0]["title"] in body
    assert 'data-label="由 AI 生成，仅供参考"' in body
    assert '<meta name="AIGC" content="{&quot;Label&quot;:&quot;1&quot;' in body
    assert "演示" not in body
    assert page["Cache-Control"] == "private, no-store"


def test_page_requires_access_to_the_diagnosis(
    client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    assert _get_page(client_of_stranger, diagnosis).status_code == 404
    assert _get_page(client_of_staff, diagnosis).status_code == 200
    anonymous = _get_page(Client(), diagnosis)
    assert (anonymous.status_code, anonymous["Location"].partition("?")[0]) == (302, "/accounts/login/")


def test_ticket_opens_only_its_diagnosis_until_it_expires(
    client: Client, client_of_stranger: Client, owner: AbstractUser, platform: Platform, diagnosis: Diagnosis
) -> None:
    response = _request_ticket(client, diagnosis).json()
    assert Client().get(response["url"]).status_code == 200
    ticket = response["url"].partition("?")[2]
    other = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    assert _get_page(Client(), other, f"?{ticket}").status_code == 302
    assert _request_ticket(client_of_stranger, diagnosis).status_code == 404
    later = timezone.now() + timedelta(seconds=print_tickets.PRINT_TICKET_TTL_SECONDS + 1)
    with mock.patch("django.core.signing.time.time", return_value=later.timestamp()):
        assert Client().get(response["url"]).status_code == 302


def test_ticket_of_a_deleted_diagnosis_returns_404(client: Client, diagnosis: Diagnosis) -> None:
    response = _request_ticket(client, diagnosis).json()
    diagnosis.delete()
    assert Client().get(response["url"]).status_code == 404


def test_running_diagnosis_returns_409(client: Client, owner: AbstractUser, platform: Platform) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    assert _get_page(client, running).status_code == 409
    assert "诊断" in _get_page(client, running).content.decode()
    assert _request_ticket(client, running).json()["code"] == "DIAGNOSIS_RUNNING"


def test_report_without_valid_answers_can_be_printed(client: Client, owner: AbstractUser, platform: Platform) -> None:
    body = _get_page(client, run_and_end(make_diagnosis(owner, [platform]), make_failed_result())).content.decode()
    assert "各品牌的可见度" not in body
    assert "没有得到的回答" in body


def test_split_by_mentions_uses_code_points_and_skips_uncertain_mentions() -> None:
    mentions = [["甲", 2, 3], ["乙", 2, 4], ["丙", 5, 6, "uncertain"], ["丁", 90, 91], ["己", 7, 8, "confirmed"]]
    assert split_by_mentions("😀a甲bc丙d己", mentions, {"甲"}) == [
        TextSpan("😀a"),
        TextSpan("甲", "甲", True),
        TextSpan("bc丙d"),
        TextSpan("己", "己"),
    ]


def test_rate_bar_without_interval_is_a_point_and_unknown_rate_has_none() -> None:
    figures = {"share_of_voice": 0.5, "share_of_voice_low": None, "share_of_voice_high": None}
    bar = build_rate_bar(figures, "share_of_voice")
    assert bar
    assert (bar.value, bar.low, bar.high, bar.text, bar.range) == ("50.00%", "50.00%", "50.00%", "50%", "")
    assert build_rate_bar(dict.fromkeys(figures), "share_of_voice") is None


def test_page_has_aliases_corrections_recognition_and_trend(client: Client, owner: AbstractUser) -> None:
    platform = make_platform()
    questions = ["哪个好？", "山岚好吗？"]

    def run(text: str) -> Diagnosis:
        order = make_diagnosis(owner, [platform], questions=questions, aliases=["Shanlan"])
        return run_and_end(order, make_valid_result(text), make_valid_result("山岚不错。"))

    run("都行。")
    current = run("山岚好，Shanlan 也好。")
    answer = current.answers.get(question__text="哪个好？")
    brand, start, end = answer.mentions[1]
    confirm_or_reject_mention(current, MentionSpan(answer.pk, brand, start, end), owner, is_confirmed=False)
    add_alias(current, "山岚", "SL 壶", owner)
    body = _get_page(client, current).content.decode()
    for text in ("“山岚”也叫 Shanlan、SL 壶", "更正：一处“山岚”不是这个品牌", "更正：“SL 壶”也算“山岚”"):
        assert text in body
    assert '<h2 id="recognition">' in body
    assert '<h2 id="trend">' in body
    assert "口径不同，不能比较" in body


def test_page_tells_what_answers_praise_and_blame_a_brand_for(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    text = "山岚做工扎实，价格偏高。"
    diagnosis = run_and_end(make_diagnosis(owner, [platform], repeats=2), *[make_valid_result(text)] * 2)
    brand = {"name": "山岚", "at": [0, 2], "stance": "recommended", "sentiment": "positive", "quote": [0, 6]}
    found = brand | {"praise": [[2, 6]], "blame": [[7, 11]]}
    Answer.objects.filter(diagnosis=diagnosis).update(extraction={"brands": [found], "complete": True})
    Diagnosis.objects.filter(pk=diagnosis.pk).update(report=build_report_from_database(diagnosis))
    body = _get_page(client, diagnosis).content.decode()
    assert "<dt>被称赞</dt><dd>做工扎实 × 2</dd><dt>被批评</dt><dd>价格偏高 × 2</dd>" in body
    assert "<q>山岚做工扎实</q>" in body
