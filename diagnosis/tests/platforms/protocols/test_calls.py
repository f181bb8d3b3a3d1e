"""Calls over HTTP: the number of requests, what is repeated after a failure, redirects, and what is stored."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from diagnosis.choices import AnswerState, FailureReason, PlatformSurface, Ternary
from diagnosis.exceptions import CallFailed
from diagnosis.models import Answer, PaidCall, Platform, RawReply, SearchQuery, Source
from diagnosis.orders.retries import create_retry
from diagnosis.orders.services import RequestContext
from diagnosis.platforms import client
from diagnosis.platforms.client import PlatformCall
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.platforms.seed import REAL_PLATFORMS
from diagnosis.replies import PlatformReply
from diagnosis.running.partial_replies import MAX_PARTIAL_REPLY_BYTES, build_partial_reply, read_partial_reply
from diagnosis.running.reply_records import read_raw_reply
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY, make_diagnosis, make_platform, run_diagnoses
from testing.fakes.protocols import gemini, kimi, responses
from testing.fakes.protocols.all_traps import ALL_TRAPS
from testing.fakes.protocols.chat import completion
from testing.fakes.protocols.server import PlatformServer
from testing.fakes.protocols.trap import Canned, Trap

BUSY = Canned({"error": {"message": "busy"}}, 503)


@pytest.fixture(autouse=True)
def no_cached_setups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_setups", {})


def _platform(server: PlatformServer, protocol: str, **columns: Any) -> Platform:
    columns = {"surface": PlatformSurface.SEARCH, "model": "m-1"} | columns
    return Platform(pk="p", key_variable=API_KEY_VARIABLE, base_url=server.base_url, protocol=protocol, **columns)


async def _take_all(call: PlatformCall) -> PlatformReply:
    while True:
        reply = await call.take_step(seed=1, timeout_seconds=20)
        if reply:
            return reply


@pytest.mark.parametrize("trap", [trap for trap in ALL_TRAPS if not trap.search_options], ids=str)
def test_each_protocol_and_trap_makes_its_number_of_requests(trap: Trap) -> None:
    with PlatformServer(trap.responses) as server:
        platform = _platform(server, trap.protocol, surface=trap.surface)
        try:
            asyncio.run(_take_all(PlatformCall(platform, "问")))
            reason = None
        except CallFailed as failure:
            reason = failure.reason
        assert len(server.requests) == trap.calls
        assert server.problems == []
    assert reason == (trap.expected if isinstance(trap.expected, FailureReason) else None)


def test_a_failed_step_of_a_loop_repeats_no_earlier_one() -> None:
    loop = [
        Canned(kimi.TOOLS),
        Canned(kimi.tool_calls("壶")),
        BUSY,
        Canned(kimi.fiber("x")),
        BUSY,
        Canned(completion("好")),
    ]
    with PlatformServer(loop) as server:
        call, failures, usages = PlatformCall(_platform(server, "kimi"), "问"), 0, []

        async def run() -> PlatformReply:
            nonlocal failures
            while True:
                try:
                    reply = await call.take_step(seed=1, timeout_seconds=20)
                    usages.append(call.usage)
                    if reply:
                        return reply
                except CallFailed as failure:
                    assert (failure.reason, failure.usage) == (FailureReason.BUSY, None)
                    failures += 1

        reply = asyncio.run(run())
    paths = [request.path.rpartition("/")[2] for request in server.requests]
    assert paths == ["tools", "completions", "fibers", "fibers", "completions", "completions"]
    assert (failures, reply.text, reply.usage.searches) == (2, "好", 1)
    assert [usage and usage.searches for usage in usages] == [0, 1, 0]


def _continue_elsewhere(call: PlatformCall) -> PlatformCall:
    """Return the call as another process continues it."""
    return PlatformCall(call.platform, call.question, read_partial_reply(build_partial_reply(call.progress)))


@pytest.mark.parametrize("trap", [trap for trap in ALL_TRAPS if trap.calls > 1], ids=str)
def test_a_call_is_continued_elsewhere_after_any_step(trap: Trap) -> None:
    async def run(call: PlatformCall, *, moves: bool) -> Any:
        try:
            while not (reply := await call.take_step(seed=1, timeout_seconds=20)):
                call = _continue_elsewhere(call) if moves else call
        except CallFailed as failure:
            return failure.reason, failure.detail.replace(call.platform.base_url, "")
        return reply

    outcomes = []
    for moves in (False, True):
        with PlatformServer(trap.responses) as server:
            platform = _platform(server, trap.protocol, surface=trap.surface, search_options=trap.search_options)
            outcome = asyncio.run(run(PlatformCall(platform, "问"), moves=moves))
            outcomes.append(replace(outcome, params_hash="") if isinstance(outcome, PlatformReply) else outcome)
            assert (len(server.requests), server.problems) == (trap.calls, [])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("columns", [{"model": "m-2"}, {"surface": "memory"}, {"extra_body": {"top_p": 0.5}}])
def test_steps_of_other_parameters_are_dropped(columns: dict[str, Any]) -> None:
    with PlatformServer([Canned(kimi.tool_calls("壶")), Canned(completion("好"))]) as server:
        server.set_path("/formulas/moonshot/web-search:latest/tools", Canned(kimi.TOOLS))
        call = PlatformCall(_platform(server, "kimi"), "问")
        assert asyncio.run(call.take_step(seed=1, timeout_seconds=20)) is None
        call = _continue_elsewhere(call)
        call.platform = _platform(server, "kimi", **columns)
        reply = asyncio.run(_take_all(call))
        bodies = [request.body for request in server.requests if request.path.endswith("/completions")]
    assert reply.text == "好"
    assert [len(body["messages"]) for body in bodies] == [1, 1]


def test_stored_steps_are_bounded_and_without_the_key() -> None:
    query = f"壶 {TEST_API_KEY}"
    large = "x" * (MAX_PARTIAL_REPLY_BYTES - 300)
    with PlatformServer([Canned(kimi.tool_calls(query)), Canned(kimi.fiber(large))]) as server:
        server.set_path("/formulas/moonshot/web-search:latest/tools", Canned(kimi.TOOLS))
        call = PlatformCall(_platform(server, "kimi"), "问")
        asyncio.run(call.take_step(seed=1, timeout_seconds=20))
        asyncio.run(call.take_step(seed=1, timeout_seconds=20))
    assert len(call.progress.responses) == 3
    stored = read_partial_reply(build_partial_reply(call.progress)).responses
    assert [response.body for response in stored[:1]] == [kimi.TOOLS]
    assert len(stored) == 2
    assert TEST_API_KEY not in str(stored) and "壶 ***" in str(stored)


def test_a_paid_reply_that_is_no_answer_tells_its_usage() -> None:
    with (
        PlatformServer([Canned(completion("", finish_reason="length"))]) as server,
        pytest.raises(CallFailed) as failure,
    ):
        asyncio.run(_take_all(PlatformCall(_platform(server, "chat", surface=PlatformSurface.MEMORY), "问")))
    assert failure.value.reason == FailureReason.UNFINISHED
    assert failure.value.usage and failure.value.usage.completion_tokens == 34
    assert not failure.value.is_retryable


def test_gemini_redirects_are_followed_once_and_no_further(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with PlatformServer([]) as server:
        pages = ["a", "b", "gone", "a"]
        grounding = gemini.grounding(["壶"], pages)
        for chunk, page in zip(grounding["groundingChunks"], pages, strict=True):
            chunk["web"]["uri"] = f"{server.base_url}/redirect/{page}"
        redirect_headers = {"location": "https://b.example/review"}
        server.set_path("/redirect/a", Canned("", 302, {"location": "https://a.example/1?utm_medium=x#top"}))
        server.set_path("/redirect/b", Canned("", 302, {"location": "javascript:alert(1)"}))
        server.set_path("/redirect/gone", Canned("", 404, redirect_headers))
        server.responses.append(Canned(gemini.content(gemini.part("山岚好。"), grounding=grounding)))
        monkeypatch.setattr(type(PROTOCOLS["gemini"]), "redirect_hosts", frozenset({"127.0.0.1"}))
        reply = asyncio.run(_take_all(PlatformCall(_platform(server, "gemini"), "问")))
        assert [source.final_url for source in reply.sources] == ["https://a.example/1", "", "", "https://a.example/1"]
        assert sorted(request.path.rpartition("/")[2] for request in server.requests[1:]) == ["a", "b", "gone"]
        assert all("x-goog-api-key" not in request.headers for request in server.requests[1:])


@pytest.mark.django_db(transaction=True)
def test_a_run_stores_sources_queries_and_the_raw_reply(owner: AbstractUser) -> None:
    url = "https://www.a.example/1?utm_source=x"
    body = responses.response(
        responses.search_call(["手冲壶"], (url, "https://b.example/2")),
        responses.message("山岚好。", [responses.citation(url, 0, 2)]),
        note=f"Bearer {TEST_API_KEY}",
    )
    with PlatformServer([Canned(body)]) as server:
        platform = make_platform(base_url=server.base_url, protocol="responses", surface="search")
        (diagnosis,) = run_diagnoses(make_diagnosis(owner, [platform]))
    answer = diagnosis.answers.get()
    assert (answer.state, answer.surface, answer.protocol) == (AnswerState.VALID, "search", "responses")
    assert (answer.requested_model, answer.model, len(answer.params_hash)) == ("fake", "m-1", 16)
    assert (answer.search_happened, answer.search_count, answer.is_search_forced) == (Ternary.YES, 1, True)
    assert (answer.tells_queries, answer.is_without_requested_search) == (True, False)
    assert list(SearchQuery.objects.values_list("answer", "text")) == [(answer.pk, "手冲壶")]
    first, second = Source.objects.filter(answer=answer)
    assert (first.url_raw, first.url, first.page) == (url, "https://www.a.example/1", "a.example/1")
    assert (first.host, first.origin, first.cited, first.spans) == ("a.example", "result", "yes", [[0, 2]])
    assert (second.position, second.cited, second.spans) == (1, "no", [])
    raw = RawReply.objects.get(answer=answer)
    assert read_raw_reply(raw) == [body | {"note": "Bearer ***"}]


@pytest.mark.django_db(transaction=True)
def test_an_answer_without_the_requested_search_is_marked_and_a_retry_keeps_sources(owner: AbstractUser) -> None:
    with PlatformServer([]) as server:
        skipped = make_platform("skips", base_url=server.base_url, protocol="responses", surface="search")
        searched = make_platform("searches", base_url=server.base_url, protocol="responses", surface="search")
        failing = make_platform("fails", base_url=server.base_url, protocol="responses", surface="search")
        searching = responses.response(
            responses.search_call(["壶"], ("https://a.example/1",)), responses.message("山岚", [])
        )
        server.by_model = {
            "skips": Canned(responses.response(responses.message("山岚好。", []))),
            "searches": Canned(searching),
            "fails": Canned({"error": {"code": "invalid_api_key"}}, 401),
        }
        (diagnosis,) = run_diagnoses(make_diagnosis(owner, [skipped, searched, failing]))
        answers = {answer.platform_id: answer for answer in diagnosis.answers.all()}
        assert answers["skips"].is_without_requested_search and not answers["searches"].is_without_requested_search
        assert (answers["fails"].state, answers["fails"].surface) == (AnswerState.FAILED, "search")
        Platform.objects.filter(pk="fails").update(paused_until=None, pause_reason="")
        retry, _is_new = create_retry(diagnosis, RequestContext(owner, "key-2"))
    copied = Answer.objects.get(diagnosis=retry, platform="searches")
    assert list(copied.sources.values_list("url", "cited")) == [("https://a.example/1", "no")]
    assert copied.search_queries.get().text == "壶"


def test_every_real_platform_is_reached_by_the_default_hosts(settings: Any) -> None:
    assert len(REAL_PLATFORMS) >= 9
    assert {host for protocol in PROTOCOLS.values() for host in protocol.redirect_hosts} <= set(settings.OUTGOING_HOSTS)


@pytest.mark.django_db(transaction=True)
def test_the_ledger_counts_every_paid_step_of_a_loop_and_no_other(owner: AbstractUser) -> None:
    loop = [
        Canned(kimi.TOOLS),
        Canned(kimi.tool_calls("壶", "壶 口碑")),
        Canned(kimi.fiber("x")),
        BUSY,
        Canned(kimi.fiber("y")),
        BUSY,
        Canned(completion("山岚好。")),
    ]
    with PlatformServer(loop) as server:
        platform = make_platform(base_url=server.base_url, protocol="kimi", surface="search")
        (diagnosis,) = run_diagnoses(make_diagnosis(owner, [platform]))
        paid_requests = [request for request in server.requests if request.method == "POST"]
    answer = diagnosis.answers.get()
    assert (answer.state, answer.text, answer.search_count) == (AnswerState.VALID, "山岚好。", 2)
    calls = PaidCall.objects.filter(answer=answer)
    assert calls.count() == len(paid_requests) == 6
    assert sum(call.searches or 0 for call in calls) == 2
    assert list(answer.search_queries.values_list("text", flat=True)) == ["壶", "壶 口碑"]
