"""The demo platform: fictional, deterministic, marked everywhere, never a replacement for a real one."""

import json
from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import AsyncClient, AsyncRequestFactory, Client

from diagnosis.choices import AnswerState
from diagnosis.models import Platform
from diagnosis.platforms.demo.chat import chat_completions
from diagnosis.platforms.demo.web import DEMO_BRANDS, get_pages
from diagnosis.platforms.seed import DEMO_SEARCH_PLATFORMS, seed_platforms
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end, run_diagnoses
from testing.fakes.platform import FakePlatform, respond_with_answer, respond_with_error

PATH = "/demo/v1/chat/completions"


@pytest.fixture(autouse=True)
def without_waiting(settings: Any) -> None:
    settings.DEMO_LATENCY = 0


async def _ask(model: str, seed: int | None = None, question: str = "推荐哪个手冲壶？") -> Any:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}]}
    if seed is not None:
        body["seed"] = seed
    return await _post(body)


async def _post(body: Any) -> Any:
    return await chat_completions(AsyncRequestFactory().post(PATH, body, content_type="application/json"))


def _text(response: Any) -> str:
    return str(json.loads(response.content)["choices"][0]["message"]["content"])


async def test_the_same_question_and_seed_give_the_same_answer() -> None:
    first, second = await _ask("demo-fast", 7), await _ask("demo-fast", 7)
    assert _text(first) == _text(second)
    assert json.loads(first.content)["id"] == json.loads(second.content)["id"]


async def test_other_seed_question_or_model_gives_another_answer() -> None:
    answers = {_text(await _ask("demo-fast", seed)) for seed in range(20)}
    assert len(answers) > 15
    assert _text(await _ask("demo-fast", 1, "别的问题？")) != _text(await _ask("demo-fast", 1))
    assert _text(await _ask("demo-slow", 1)) != _text(await _ask("demo-fast", 1))


async def test_answer_is_a_completion_marked_as_fictional() -> None:
    named: Counter[str] = Counter()
    for seed in range(60):
        response = await _ask("demo-fast", seed)
        body = json.loads(response.content)
        assert (body["object"], body["model"]) == ("chat.completion", "demo-fast")
        assert body["choices"][0]["finish_reason"] == "stop"
        text = _text(response)
        assert "演示" in text
        brands = [brand for brand in DEMO_BRANDS if brand in text]
        assert 1 <= len(brands) <= 6
        named.update(brands)
    assert set(named) == set(DEMO_BRANDS)
    assert named[DEMO_BRANDS[0]] > named[DEMO_BRANDS[-1]]


async def test_quota_and_down_models_always_fail() -> None:
    for seed in range(5):
        quota, down = await _ask("demo-quota", seed), await _ask("demo-down", seed)
        assert (quota.status_code, json.loads(quota.content)["error"]["code"]) == (429, "insufficient_quota")
        assert down.status_code == 503


async def test_flaky_model_fails_half_of_the_time_in_four_ways() -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        response = await _ask("demo-flaky", seed)
        if response.status_code == 200:
            seen["html" if b"<html>" in response.content else "valid"] += 1
        else:
            seen[json.loads(response.content)["error"]["code"]] += 1
            assert (response.get("Retry-After") == "1") == (response.status_code == 429)
    assert set(seen) == {"valid", "html", "rate_limit_exceeded", "service_unavailable", "content_filter"}
    assert 120 < seen["valid"] < 180


async def test_fast_is_faster_than_slow(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    waits: dict[str, list[float]] = {"demo-fast": [], "demo-slow": []}
    settings.DEMO_LATENCY = 2
    for model, waited in waits.items():

        async def note(seconds: float, waited: list[float] = waited) -> None:
            waited.append(seconds)

        monkeypatch.setattr("diagnosis.platforms.demo.chat.asyncio.sleep", note)
        for seed in range(40):
            await _ask(model, seed)
    assert 0.6 <= min(waits["demo-fast"]) <= max(waits["demo-fast"]) <= 3
    assert 6 <= min(waits["demo-slow"]) <= max(waits["demo-slow"]) <= 16


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{", "null", '{"model": "demo-fast"}', '{"model": 1, "messages": []}', b"\xff", '{"messages": {}}'],
)
async def test_invalid_body_gets_a_platform_error(body: str | bytes) -> None:
    response = await _post(body)
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (400, "invalid_request_error")


async def test_unknown_model_is_rejected_by_name() -> None:
    response = await _ask("gpt-6-luna")
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (404, "model_not_found")
    assert "demo-fast" in json.loads(response.content)["error"]["message"]


async def test_endpoint_is_404_without_demo(settings: Any) -> None:
    body = {"model": "demo-fast", "messages": [{"role": "user", "content": "甲？"}]}
    for is_on, status in ((True, 200), (False, 404)):
        settings.DEMO = is_on
        response = await AsyncClient().post(PATH, body, content_type="application/json")
        assert response.status_code == status


def test_all_demo_results_are_marked(client: Client, owner: AbstractUser) -> None:
    platform = Platform.objects.create(pk="demo-fast", name="演示·快速", model="demo-fast", is_demo=True)
    diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    path = f"/api/diagnoses/{diagnosis.pk}"
    detail, report = client.get(path).json(), client.get(f"{path}/report").json()
    marks = [
        client.get("/api/platforms").json()[0]["demo"],
        client.get("/api/diagnoses").json()["items"][0]["demo"],
        detail["demo"],
        detail["platforms"][0]["demo"],
        report["demo"],
        report["platforms"][0]["demo"],
        client.get(f"{path}/answers").json()["items"][0]["demo"],
    ]
    assert marks == [True] * 7


@pytest.mark.django_db(transaction=True)
def test_demo_never_replaces_a_failing_real_platform(owner: AbstractUser, fake: FakePlatform, settings: Any) -> None:
    settings.DEMO_BASE_URL, settings.CALL_ATTEMPTS = fake.base_url, 1
    fake.set_behaviour(respond_with_error(503), model="real")
    fake.set_behaviour(respond_with_answer("山岚（演示回答）"), model="demo-fast")
    real = make_platform("real", base_url=fake.base_url)
    Platform.objects.create(pk="demo-fast", name="演示", model="demo-fast", is_demo=True)
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, [real], questions=["甲？", "乙？"]))
    answers = set(diagnosis.answers.values_list("platform_id", "state", "is_demo"))
    assert answers == {("real", AnswerState.FAILED, False)}
    assert (fake.count(model="real"), fake.count(model="demo-fast")) == (2, 0)
    assert not diagnosis.is_demo


def test_demo_platform_cannot_be_requested_with_demo_off(client: Client, settings: Any) -> None:
    settings.DEMO = False
    seed_platforms()
    body = {"brand": "山岚", "questions": ["甲？"], "platforms": ["demo-fast"]}
    response = client.post("/api/diagnoses", body, content_type="application/json")
    assert (response.status_code, list(response.json()["fields"])) == (422, ["platforms.0"])


def test_the_fictional_web_has_sixty_distinct_pages() -> None:
    pages = get_pages()
    assert len({page.url for page in pages}) == len(pages) == 60
    assert {page.kind for page in pages} == {"brand", "media", "shop", "forum", "reference"}
    assert all(".example/" in page.url for page in pages)


@pytest.mark.django_db(transaction=True)
def test_every_searching_demo_platform_gives_sources_that_fit_its_answers(
    owner: AbstractUser, live_server: Any, settings: Any
) -> None:
    settings.DEMO, settings.DEMO_LATENCY = True, 0.0
    settings.DEMO_BASE_URL = f"{live_server.url}/demo/v1".replace("localhost", "127.0.0.1")
    seed_platforms()
    platforms = list(Platform.objects.filter(is_demo=True).exclude(surface="memory"))
    assert len(platforms) == len(DEMO_SEARCH_PLATFORMS)
    questions = [f"第 {number} 个问题：哪个手冲壶好？" for number in range(6)]
    (diagnosis,) = run_diagnoses(make_diagnosis(owner, platforms, questions=questions))
    assert (diagnosis.status, diagnosis.valid, diagnosis.is_demo) == ("completed", 6 * len(platforms), True)
    pages = {page.url: page for page in get_pages()}
    for platform in platforms:
        answers = list(diagnosis.answers.filter(platform=platform).prefetch_related("sources"))
        searched = [answer for answer in answers if answer.search_happened == "yes"]
        assert searched and all(answer.sources.exists() for answer in searched), platform.pk
        assert not any(answer.sources.exists() for answer in answers if answer not in searched), platform.pk
        for answer in searched:
            for source in answer.sources.all():
                page = pages[source.url]
                assert source.cited in ("yes", "no", "unknown")
                for start, end in source.spans:
                    line = answer.text[answer.text.rfind("\n", 0, start) + 1 : answer.text.find("\n", end)]
                    assert any(brand in line for brand in page.brands), (platform.pk, line, page)
    truncated = diagnosis.answers.filter(is_truncated=True).count()
    skipped = diagnosis.answers.exclude(search_happened="yes").count()
    assert 0 < truncated < 20 and 0 < skipped < 20


async def test_searching_models_reject_other_bodies() -> None:
    for path, body in [
        ("responses", {"model": "demo-openai-search"}),
        ("responses", []),
        ("agent", {"input": 1, "model": "m"}),
        ("messages", {"model": "m", "messages": []}),
        ("services/aigc/text-generation/generation", {"model": "m", "input": {}}),
        ("models/m:generateContent", {"contents": "x"}),
        ("formulas/moonshot/web-search:latest/fibers", {"arguments": "{"}),
        ("chat/completions", {"model": "demo-glm-search", "messages": [], "tools": [{}]}),
        ("chat/completions", {"model": "demo-kimi-search", "messages": "x"}),
    ]:
        response = await AsyncClient().post(f"/demo/v1/{path}", json.dumps(body), content_type="application/json")
        assert response.status_code == 400, path
        assert json.loads(response.content)["error"]["code"] == "invalid_request_error"
