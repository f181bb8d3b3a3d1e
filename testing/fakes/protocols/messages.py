"""The Messages API of Claude and DeepSeek."""

from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface
from testing.fakes.protocols.trap import (
    CITATION,
    NO,
    OPENED,
    RESULT,
    UNKNOWN,
    YES,
    Canned,
    Expected,
    Trap,
    failing,
    valid,
)

R = FailureReason


def reply(
    *content: Any, stop_reason: Any = "end_turn", searches: int | None = None, model: str = "m-1"
) -> dict[str, Any]:
    """A message with these blocks."""
    usage: dict[str, Any] = {"input_tokens": 10, "output_tokens": 20}
    if searches is not None:
        usage["server_tool_use"] = {"web_search_requests": searches}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def text(value: str, *urls: str) -> dict[str, Any]:
    """A text block that cites these addresses."""
    cited = [
        {"type": "web_search_result_location", "url": url, "title": "壶评", "cited_text": "控温准"} for url in urls
    ]
    return {"type": "text", "text": value} | ({"citations": cited} if urls else {})


def tool_use(query: str, name: str = "web_search") -> dict[str, Any]:
    """A search that the platform makes."""
    return {"type": "server_tool_use", "id": "srvtoolu_1", "name": name, "input": {"query": query}}


def results(*urls: str, kind: str = "web_search_tool_result") -> dict[str, Any]:
    """The results of a search."""
    items = [{"type": "web_search_result", "url": url, "title": "壶评", "page_age": "October 2, 2026"} for url in urls]
    return {"type": kind, "tool_use_id": "srvtoolu_1", "content": items}


def failed(code: str) -> dict[str, Any]:
    """A search that failed inside of a 200."""
    error = {"type": "web_search_tool_result_error", "error_code": code}
    return {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": error}


_A, _B, _C = "https://a.example/1", "https://b.example/2", "https://c.example/3"

TRAPS: list[Trap] = [
    valid(
        "messages",
        "a citation covers its block",
        reply(
            text("我查一下。"),
            tool_use("手冲壶"),
            results(_A, _B),
            text("最常被推荐的是"),
            text("山岚", _B),
            text("。"),
            searches=1,
        ),
        Expected(
            "我查一下。最常被推荐的是山岚。",
            queries=["手冲壶"],
            count=1,
            searches=1,
            sources=[(_A, RESULT, NO), (_B, RESULT, YES)],
            cited_text=[("山岚", [1])],
        ),
    ),
    valid(
        "messages",
        "an error in a 200",
        reply(tool_use("手冲壶"), failed("max_uses_exceeded"), text("山岚好。"), searches=0),
        Expected("山岚好。", happened=NO, errors=["max_uses_exceeded"], sources=[]),
    ),
    valid(
        "messages",
        "one search of two fails",
        reply(
            tool_use("壶"), results(_A), tool_use("壶 二"), failed("too_many_requests"), text("山岚", _A), searches=1
        ),
        Expected(queries=["壶", "壶 二"], errors=["too_many_requests"], sources=[(_A, RESULT, YES)]),
    ),
    Trap(
        "messages",
        "a pause is continued",
        [
            Canned(reply(text("先查。"), tool_use("壶"), results(_A), stop_reason="pause_turn", searches=1)),
            Canned(reply(tool_use("壶 二"), results(_B), text("山岚", _A), searches=1)),
        ],
        Expected(
            "先查。山岚",
            queries=["壶", "壶 二"],
            count=2,
            searches=2,
            sources=[(_A, RESULT, YES), (_B, RESULT, NO)],
            cited_text=[("山岚", [0])],
        ),
        calls=2,
    ),
    Trap(
        "messages",
        "a pause without an end",
        [Canned(reply(tool_use("壶"), stop_reason="pause_turn"))] * 6,
        R.UNFINISHED,
        calls=6,
    ),
    valid("messages", "silent skip", reply(text("山岚好。"), searches=0), Expected(happened=NO, sources=[])),
    valid(
        "messages",
        "truncated",
        reply(text("1. 山"), stop_reason="max_tokens", searches=0),
        Expected("1. 山", truncated=True, happened=NO),
    ),
    failing(
        "messages",
        "thinking used up the tokens",
        reply({"type": "thinking", "thinking": "想", "signature": "x"}, stop_reason="max_tokens"),
        R.UNFINISHED,
    ),
    valid(
        "messages",
        "thinking apart",
        reply({"type": "thinking", "thinking": "也许山岚"}, text("木石坊好。"), searches=0),
        Expected("木石坊好。", reasoning="也许山岚", happened=NO),
    ),
    failing(
        "messages",
        "a tool of the row's own",
        reply({"type": "tool_use", "id": "t", "name": "lookup", "input": {}}, stop_reason="tool_use"),
        R.CONFIG,
    ),
    failing("messages", "refusal", reply(text(""), stop_reason="refusal"), R.FILTERED),
    failing("messages", "an ending nobody knows", reply(text("山"), stop_reason="compaction"), R.BUSY),
    failing(
        "messages",
        "overloaded",
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        R.BUSY,
        status=529,
    ),
    failing(
        "messages",
        "an error object in a 200",
        {"type": "error", "error": {"type": "authentication_error", "message": "x"}},
        R.KEY,
    ),
    valid(
        "messages",
        "a citation outside of the results",
        reply(tool_use("壶"), results(_A), text("山岚", _C), searches=1),
        Expected(sources=[(_A, RESULT, NO), (_C, CITATION, YES)], cited_text=[("山岚", [1])]),
    ),
    # DeepSeek
    valid(
        "deepseek",
        "no citations: nothing is known",
        reply(tool_use("手冲壶"), results(_A), text("山岚好。"), searches=1),
        Expected(sources=[(_A, RESULT, UNKNOWN)], cited_text=[]),
    ),
    valid(
        "deepseek",
        "blocks of the new tool",
        reply(
            tool_use("手冲壶", "deepseek_web_search"),
            results(_A, _B, kind="deepseek_web_search_tool_result"),
            {"type": "deepseek_web_open_tool_result", "content": {"url": _B, "title": "壶评"}},
            text("山岚", _A),
            searches=1,
        ),
        Expected(sources=[(_A, RESULT, YES), (_B, OPENED, NO)]),
    ),
    valid("deepseek", "nothing tells whether it searched", reply(text("山岚好。")), Expected(happened=UNKNOWN)),
    valid("deepseek", "usage tells that it did not", reply(text("山岚好。"), searches=0), Expected(happened=NO)),
    valid(
        "deepseek",
        "unknown blocks",
        reply({"type": "something_new", "data": [1]}, text("山岚好。"), searches=1),
        Expected("山岚好。", happened=YES, searches=1, sources=[]),
    ),
    valid(
        "deepseek",
        "the name that was sent comes back",
        reply(text("山岚好。"), model="deepseek-v4-flash"),
        Expected(model="deepseek-v4-flash", happened=NO),
        surface=PlatformSurface.MEMORY,
    ),
]
