"""What each protocol sends, and which settings it refuses."""

from typing import Any

import pytest

from diagnosis.choices import PlatformSurface, Thinking
from diagnosis.platforms.protocols.base import CallProfile, StepKind, StepResponse
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.platforms.protocols.validation import describe_search_options, find_profile_errors
from testing.fakes.protocols.kimi import TOOLS

BASE_URL = "https://platform.example/v1"
QUESTION = "哪个手冲壶好？"


def _profile(**fields: Any) -> CallProfile:
    return CallProfile(BASE_URL, "m-1", **fields)


def _first_request(protocol: str, **fields: Any) -> Any:
    return next(PROTOCOLS[protocol].run(_profile(**fields), QUESTION))


SEARCH_REQUESTS: list[tuple[str, PlatformSurface, str, dict[str, Any]]] = [
    (
        "ark",
        PlatformSurface.SEARCH,
        "/responses",
        {
            "model": "m-1",
            "input": QUESTION,
            "tools": [{"type": "web_search", "limit": 10, "max_keyword": 3}],
            "tool_choice": {"type": "web_search"},
            "max_tool_calls": 3,
        },
    ),
    (
        "ark",
        PlatformSurface.APP,
        "/responses",
        {
            "model": "m-1",
            "input": QUESTION,
            "tools": [{"type": "doubao_app", "feature": {"ai_search": {"type": "enabled"}}}],
        },
    ),
    (
        "deepseek",
        PlatformSurface.SEARCH,
        "/messages",
        {
            "model": "m-1",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": QUESTION}],
            "tools": [{"type": "deepseek_web_search", "name": "deepseek_web_search"}],
        },
    ),
    (
        "dashscope",
        PlatformSurface.SEARCH,
        "/services/aigc/text-generation/generation",
        {
            "model": "m-1",
            "input": {"messages": [{"role": "user", "content": QUESTION}]},
            "parameters": {
                "result_format": "message",
                "enable_search": True,
                "search_options": {
                    "search_strategy": "max",
                    "forced_search": True,
                    "enable_citation": True,
                    "enable_source": True,
                    "citation_format": "[<number>]",
                },
            },
        },
    ),
    (
        "zhipu",
        PlatformSurface.SEARCH,
        "/chat/completions",
        {
            "model": "m-1",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": False,
            "tools": [
                {
                    "type": "web_search",
                    "web_search": {
                        "search_engine": "search_pro",
                        "count": 10,
                        "content_size": "medium",
                        "search_intent": False,
                        "enable": True,
                        "search_result": True,
                    },
                }
            ],
        },
    ),
    (
        "qianfan",
        PlatformSurface.SEARCH,
        "/chat/completions",
        {
            "model": "m-1",
            "messages": [{"role": "user", "content": QUESTION}],
            "web_search": {
                "enable": True,
                "enable_trace": True,
                "enable_citation": True,
                "search_mode": "auto",
                "search_number": 10,
                "reference_number": 10,
            },
        },
    ),
    (
        "tokenhub",
        PlatformSurface.SEARCH,
        "/responses",
        {"model": "m-1", "input": QUESTION, "reasoning": {"effort": "none"}, "tools": [{"type": "web_search"}]},
    ),
    (
        "responses",
        PlatformSurface.SEARCH,
        "/responses",
        {
            "model": "m-1",
            "input": QUESTION,
            "tools": [{"type": "web_search", "user_location": {"type": "approximate"}}],
            "tool_choice": "required",
            "include": ["web_search_call.action.sources"],
        },
    ),
    (
        "messages",
        PlatformSurface.SEARCH,
        "/messages",
        {
            "model": "m-1",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": QUESTION}],
            "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}],
        },
    ),
    (
        "gemini",
        PlatformSurface.SEARCH,
        "/models/m-1:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}], "tools": [{"google_search": {}}]},
    ),
    (
        "perplexity",
        PlatformSurface.SEARCH,
        "/agent",
        {"model": "m-1", "input": QUESTION, "tools": [{"type": "web_search"}]},
    ),
]


@pytest.mark.parametrize(("protocol", "surface", "path", "body"), SEARCH_REQUESTS)
def test_search_is_asked_for_as_documented(
    protocol: str, surface: PlatformSurface, path: str, body: dict[str, Any]
) -> None:
    request = _first_request(protocol, surface=surface)
    assert (request.method, request.url, request.body) == ("POST", BASE_URL + path, body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_memory_sends_the_unchanged_question_and_no_tool(protocol: str) -> None:
    request = _first_request(protocol)
    assert str(request.body).count(QUESTION) == 1
    assert not {"tools", "web_search", "tool_choice"} & set(request.body)
    assert "enable_search" not in str(request.body)


def test_kimi_gets_its_tools_before_it_asks() -> None:
    steps = PROTOCOLS["kimi"].run(_profile(surface=PlatformSurface.SEARCH), QUESTION)
    setup = next(steps)
    assert (setup.kind, setup.method) == (StepKind.SETUP, "GET")
    assert setup.url.endswith("/formulas/moonshot/web-search:latest/tools")
    asked = steps.send(StepResponse(200, TOOLS))
    assert asked.body and asked.body["tools"] == TOOLS["tools"]


def test_country_is_sent_where_the_platform_takes_one() -> None:
    place = {"type": "approximate", "country": "CN"}
    for protocol in ("responses", "messages"):
        (tool,) = _first_request(protocol, surface=PlatformSurface.SEARCH, country="CN").body["tools"]
        assert tool["user_location"] == place


@pytest.mark.parametrize(
    ("protocol", "thinking", "fields"),
    [
        ("zhipu", Thinking.OFF, {"thinking": {"type": "disabled"}}),
        ("zhipu", Thinking.HIGH, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("kimi", Thinking.OFF, {"thinking": {"type": "disabled"}}),
        ("ark", Thinking.OFF, {"thinking": {"type": "disabled"}}),
        ("ark", Thinking.LOW, {"thinking": {"type": "enabled"}, "reasoning": {"effort": "low"}}),
        ("responses", Thinking.OFF, {"reasoning": {"effort": "none"}}),
        ("tokenhub", Thinking.DEFAULT, {"reasoning": {"effort": "none"}}),
        ("messages", Thinking.ON, {"thinking": {"type": "adaptive"}, "max_tokens": 16_000}),
        ("deepseek", Thinking.OFF, {"thinking": {"type": "disabled"}, "max_tokens": 4096}),
        ("gemini", Thinking.OFF, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}),
    ],
)
def test_thinking_is_set_as_each_platform_wants_it(protocol: str, thinking: Thinking, fields: dict[str, Any]) -> None:
    body = _first_request(protocol, thinking=thinking).body
    assert {name: body[name] for name in fields} == fields


def test_extra_body_adds_but_never_replaces() -> None:
    extra = {"parameters": {"seed": 7, "result_format": "text"}, "x": 1}
    body = _first_request("dashscope", extra_body=extra).body
    assert body["parameters"] == {"result_format": "message", "seed": 7}
    assert body["x"] == 1


def test_hash_depends_on_everything_but_the_question_and_the_seed() -> None:
    protocol = PROTOCOLS["messages"]
    base = protocol.compute_params_hash(_profile(surface=PlatformSurface.SEARCH))
    assert protocol.compute_params_hash(_profile(surface=PlatformSurface.SEARCH, seed=3)) == base
    others: list[dict[str, Any]] = [
        {},
        {"surface": PlatformSurface.SEARCH, "country": "CN"},
        {"surface": PlatformSurface.SEARCH, "thinking": Thinking.ON},
        {"surface": PlatformSurface.SEARCH, "search_options": {"max_uses": 2}},
        {"surface": PlatformSurface.SEARCH, "max_answer_tokens": 99},
        {"surface": PlatformSurface.SEARCH, "extra_body": {"temperature": 0}},
    ]
    hashes = {protocol.compute_params_hash(_profile(**fields)) for fields in others}
    assert len(hashes) == len(others) and base not in hashes


@pytest.mark.parametrize(
    ("protocol", "fields", "column"),
    [
        ("chat", {"surface": PlatformSurface.SEARCH}, "surface"),
        ("responses", {"surface": PlatformSurface.APP}, "surface"),
        ("chat", {"thinking": Thinking.OFF}, "thinking"),
        ("zhipu", {"country": "CN"}, "country"),
        ("messages", {"country": "China"}, "country"),
        ("zhipu", {"search_options": {"count": 5}}, "search_options"),
        ("zhipu", {"surface": PlatformSurface.SEARCH, "search_options": {"count": 500}}, "search_options"),
        ("zhipu", {"surface": PlatformSurface.SEARCH, "search_options": {"limit": 5}}, "search_options"),
        ("chat", {"extra_body": {"model": "other"}}, "extra_body"),
        ("chat", {"extra_body": {"messages": []}}, "extra_body"),
        ("zhipu", {"extra_body": {"tools": []}}, "extra_body"),
        ("dashscope", {"extra_body": {"parameters": {"result_format": "text"}}}, "extra_body"),
        ("gemini", {"thinking": Thinking.LOW, "extra_body": {"generationConfig": {"thinkingConfig": 1}}}, "extra_body"),
        ("chat", {"extra_body": {"x": "长" * 5000}}, "extra_body"),
    ],
)
def test_settings_that_a_protocol_cannot_carry_out_are_named(
    protocol: str, fields: dict[str, Any], column: str
) -> None:
    assert list(find_profile_errors(PROTOCOLS[protocol], _profile(**fields))) == [column]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_defaults_of_every_protocol_are_valid(protocol: str) -> None:
    for surface in PROTOCOLS[protocol].surfaces:
        profile = _profile(surface=surface, extra_body={"temperature": 0.5})
        assert find_profile_errors(PROTOCOLS[protocol], profile) == {}
    assert len(describe_search_options(PROTOCOLS[protocol])) < 500
