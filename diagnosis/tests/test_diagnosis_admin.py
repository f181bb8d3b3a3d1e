"""The admin pages of diagnoses and answers: search, links by role, answers with their texts, reports as tables."""

import re
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.models import Answer, Diagnosis
from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import (
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_user,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db
LIST = "/admin/diagnosis/diagnosis/"


def _sign_in(*codenames: str) -> Client:
    operator = make_user(f"operator with {len(codenames)} permissions", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return make_signed_in_client(operator)


@pytest.fixture
def ended() -> Diagnosis:
    """Two questions for two platforms: three answers, one of which mentions the brand, and a failure."""
    platforms = [make_platform("one"), make_platform("two")]
    diagnosis = make_diagnosis(make_user("li.lei"), platforms, questions=["甲？", "乙？"], brand="山岚")
    texts = ["山岚不错。", "别的也行。", "看预算。"]
    return run_and_end(
        diagnosis, *map(make_valid_result, texts), make_failed_result(FailureReason.TIMEOUT, "no answer in 60 s")
    )


def _find(client: Client, term: str) -> list[Any]:
    response = client.get(LIST, {"q": term})
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


def test_a_diagnosis_is_found_by_id_owner_and_brand(ended: Diagnosis) -> None:
    make_diagnosis(make_user("other"), [make_platform("three")], brand="云朵")
    client = _sign_in("view_diagnosis")
    for term in (str(ended.pk), f" {ended.pk.hex} ", "li.lei", "山岚"):
        assert _find(client, term) == [ended.pk], term
    assert _find(client, "nothing") == []


def test_its_page_links_only_to_what_the_role_may_open(ended: Diagnosis) -> None:
    page = reverse("admin:diagnosis_diagnosis_change", args=[ended.pk])
    everything = ("view_answer", "view_errorevent", "view_paidcall", "view_correction", "view_user")
    titles = {}
    for codenames in ((), everything):
        client = _sign_in("view_diagnosis", *codenames)
        response = client.get(page)
        titles[len(codenames)] = [link.title for link in response.context["links"]]
        urls = [link.url for link in response.context["links"]]
        urls += [cell.url for row in response.context["answer_table"]["rows"] for cell in row["cells"] if codenames]
        assert {url: client.get(url).status_code for url in urls} == dict.fromkeys(urls, 200)
        assert ("/admin/diagnosis/answer/" in response.content.decode()) == bool(codenames)
    assert titles[0] == ["报告页"]
    assert titles[5] == ["全部回答", "报告页", "错误记录", "付费调用", "更正", "所有者"]


def test_its_page_shows_report_and_answers_as_tables(ended: Diagnosis) -> None:
    page = _sign_in("view_diagnosis", "view_answer").get(reverse("admin:diagnosis_diagnosis_change", args=[ended.pk]))
    text = page.content.decode()
    assert page.context["answer_table"]["platforms"] == ["平台 one", "平台 two"]
    cells = [cell.text for row in page.context["answer_table"]["rows"] for cell in row["cells"]]
    assert sorted(cells) == ["失败 1", "有效 1", "有效 1", "有效 1"]
    (brand,) = page.context["report_tables"]["brands"]
    assert (brand["name"], brand["mentions"]) == ("山岚", "1 / 3")
    assert re.match(r"33%（\d+%–\d+%）", brand["mention_rate"])
    (failure,) = page.context["report_tables"]["failures"]
    assert (failure["code"], failure["count"]) == ("NETWORK_TIMEOUT", 1)
    assert '"mention_rate"' not in text, "no raw JSON"
    assert f"{timezone.localtime(ended.created_at):%Y-%m-%d %H:%M}" in str(ended)


def test_answers_are_listed_by_question_platform_and_repeat_with_their_texts(ended: Diagnosis) -> None:
    client = _sign_in("view_diagnosis", "view_answer")
    for query in (f"diagnosis__exact={ended.pk}", f"q={ended.pk}"):
        response = client.get(f"/admin/diagnosis/answer/?{query}")
        rows = [(row.question.position, row.platform_id, row.repeat) for row in response.context["cl"].result_list]
        assert rows == sorted(rows)
        assert len(rows) == 4
        text = response.content.decode()
        for part in ("山岚不错。", "看预算。", "超时（no answer in 60 s）"):
            assert part in text
    cell = client.get(reverse("admin:diagnosis_diagnosis_change", args=[ended.pk])).context["answer_table"]["rows"][0]
    listed = client.get(unquote(cell["cells"][0].url)).context["cl"].result_list
    assert [row.pk for row in listed] == [Answer.objects.get(question__text="甲？", platform="one").pk]
