"""Kimi: the formula tool, its fibers, and $web_search."""

import json
from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface
from testing.fakes.protocols.chat import completion, with_message
from testing.fakes.protocols.trap import NO, RESULT, SELF_REPORTED, UNKNOWN, YES, Canned, Expected, Trap

R = FailureReason
TOOLS = {
    "object": "list",
    "tools": [{"type": "function", "function": {"name": "web_search", "parameters": {"type": "object"}}}],
}


def tool_calls(*queries: str, name: str = "web_search") -> dict[str, Any]:
    """A completion that asks for searches."""
    calls = [
        {
            "id": f"call-{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({"query": query}, ensure_ascii=False)},
        }
        for number, query in enumerate(queries)
    ]
    return with_message("tool_calls", content="", tool_calls=calls)


def fiber(output: Any = None, **context: Any) -> dict[str, Any]:
    """The result of a formula. output: results, sent as JSON text."""
    if output is not None:
        context["output"] = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return {"id": "fiber-1", "object": "fiber", "status": "succeeded", "context": context}


_PAGE = {"title": "壶评", "url": "https://a.example/1", "site_name": "壶友网", "snippet": "比较"}
_OTHER = {"title": "二手", "url": "https://b.example/2"}

TRAPS: list[Trap] = [
    Trap(
        "kimi",
        "formula loop with readable results",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶 推荐", "手冲壶 口碑")),
            Canned(fiber({"search_results": [_PAGE]})),
            Canned(fiber({"search_results": [_OTHER]})),
            Canned(completion("山岚好，见 https://a.example/1。")),
        ],
        Expected(
            "山岚好，见 https://a.example/1。",
            queries=["手冲壶 推荐", "手冲壶 口碑"],
            count=2,
            searches=2,
            sources=[("https://a.example/1", RESULT, YES), ("https://b.example/2", RESULT, UNKNOWN)],
            cited_text=[("https://a.example/1", [0])],
        ),
        calls=5,
    ),
    Trap(
        "kimi",
        "encrypted results: no sources, nothing invented",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶")),
            Canned(fiber(encrypted_output="----MOONSHOT ENCRYPTED")),
            Canned(completion("山岚好。")),
        ],
        Expected("山岚好。", queries=["手冲壶"], count=1, searches=1, sources=[]),
        calls=4,
    ),
    Trap(
        "kimi",
        "an address that only the answer names",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶")),
            Canned(fiber(encrypted_output="x")),
            Canned(completion("山岚好（https://made-up.example/9）。")),
        ],
        Expected(sources=[("https://made-up.example/9", SELF_REPORTED, UNKNOWN)], cited_text=[]),
        calls=4,
    ),
    Trap(
        "kimi",
        "the model does not search",
        [Canned(TOOLS), Canned(completion("山岚好。"))],
        Expected("山岚好。", happened=NO, queries=None, sources=[]),
        calls=2,
    ),
    Trap(
        "kimi",
        "the search fails",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶")),
            Canned({"status": "failed", "error": "timeout", "context": {}}),
            Canned(completion("山岚好。")),
        ],
        Expected("山岚好。", happened=NO, errors=["timeout"], count=1),
        calls=4,
    ),
    Trap(
        "kimi",
        "a loop without an end",
        [Canned(TOOLS), *[Canned(tool_calls("再搜")), Canned(fiber("没有"))] * 6],
        R.UNFINISHED,
        calls=13,
    ),
    Trap("kimi", "tool calls without a loop", [Canned(tool_calls("手冲壶"))], R.CONFIG, surface=PlatformSurface.MEMORY),
    Trap(
        "kimi",
        "$web_search echoes its arguments",
        [Canned(tool_calls("手冲壶", name="$web_search")), Canned(completion("山岚好。"))],
        Expected("山岚好。", queries=["手冲壶"], count=1, searches=1, sources=[]),
        search_options={"tool": "builtin"},
        calls=2,
    ),
    Trap(
        "kimi",
        "rate limit in the middle of a loop",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶")),
            Canned({"error": {"type": "rate_limit_reached_error", "message": "try again after 3 seconds"}}, 429),
        ],
        R.RATE,
        calls=3,
        wait_seconds=3,
    ),
    Trap(
        "kimi",
        "arguments that are no JSON",
        [
            Canned(TOOLS),
            Canned(
                with_message(
                    "tool_calls",
                    tool_calls=[
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "web_search", "arguments": '{"query": "手'},
                        }
                    ],
                )
            ),
            Canned(fiber("没有")),
            Canned(completion("山岚好。")),
        ],
        Expected("山岚好。", queries=[], count=1),
        calls=4,
    ),
    Trap(
        "kimi",
        "truncated after a search",
        [
            Canned(TOOLS),
            Canned(tool_calls("手冲壶")),
            Canned(fiber("见 https://a.example/1")),
            Canned(completion("山", finish_reason="length")),
        ],
        Expected("山", truncated=True, sources=[("https://a.example/1", RESULT, UNKNOWN)]),
        calls=4,
    ),
]
