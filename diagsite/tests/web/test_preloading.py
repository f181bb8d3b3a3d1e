"""What the API answers first is in the page of a user with a session."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from diagsite.models import User
from diagsite.web.preloading import DECIMALS
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner() -> User:
    return User.objects.create(username="owner")


def _read_preloaded(client: Client, path: str) -> Mapping[str, Any]:
    response = client.get(path)
    config = re.search(r'<script id="config" type="application/json">(.*?)</script>', response.content.decode())
    assert config
    preloaded: Mapping[str, Any] = json.loads(config[1])["preloaded"]
    assert ("no-store" in response["Cache-Control"]) == bool(preloaded)
    return preloaded


def test_pages_contain_what_the_api_answers(client: Client, owner: User) -> None:
    diagnosis = run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result("山岚不错。"))
    client.force_login(owner)
    url = f"/api/diagnoses/{diagnosis.pk}"
    expected = {
        f"/diagnoses/{diagnosis.pk}/": {url, f"{url}/report", f"{url}/corrections", f"{url}/trend"},
        "/": {"/api/platforms", "/api/diagnoses", "/api/consent"},
        "/history/": {"/api/diagnoses", "/api/notices"},
        "/history/?q=x": {"/api/notices"},
        "/w/": {"/api/workspaces"},
        f"/w/{diagnosis.workspace_id}/": {f"/api/workspaces/{diagnosis.workspace_id}/overview"},
    }
    for path, urls in expected.items():
        preloaded = _read_preloaded(client, path)
        assert set(preloaded) == urls
        for api_url, answer in preloaded.items():
            stored = json.loads(client.get(api_url).content, parse_float=lambda text: round(float(text), DECIMALS))
            assert answer == stored, api_url


def test_pages_contain_nothing_for_others(client: Client, owner: User) -> None:
    diagnosis = run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result())
    assert _read_preloaded(client, f"/diagnoses/{diagnosis.pk}/") == {}
    client.force_login(User.objects.create(username="stranger"))
    assert _read_preloaded(client, f"/diagnoses/{diagnosis.pk}/") == {}
    assert _read_preloaded(client, f"/w/{diagnosis.workspace_id}/") == {}


def test_summaries_are_the_answers_without_texts(client: Client, owner: User) -> None:
    platforms = [make_platform("one"), make_platform("two")]
    diagnosis = make_diagnosis(owner, platforms, questions=["甲？", "乙？"])
    run_and_end(diagnosis, make_valid_result("山岚不错。"), make_valid_result("不好说。"))
    client.force_login(owner)
    url = f"/api/diagnoses/{diagnosis.pk}/answers"
    answers = client.get(url).json()["items"]
    summaries = client.get(f"{url}/summary").json()
    shared = ("id", "question", "platform", "repeat", "state", "truncated", "without_search", "carried_over", "ms")
    for summary, answer in zip(summaries, answers, strict=True):
        assert {name: summary[name] for name in shared} == {name: answer[name] for name in shared}
        assert (summary["error"] or {}).get("copy") == (answer["error"] or {}).get("copy")
    assert sorted(row["mentioned"] for row in summaries) == [[], [], [], ["山岚"]]
    question = answers[0]["question"]
    asked = client.get(url, {"question": question}).json()["items"]
    assert [row["id"] for row in asked] == [row["id"] for row in answers if row["question"] == question]
