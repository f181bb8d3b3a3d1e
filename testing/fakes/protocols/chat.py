"""Chat Completions: 智谱, 文心, and plain ones."""

from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface
from testing.fakes.protocols.trap import NO, RESULT, UNKNOWN, YES, Canned, Expected, Trap, failing, valid

R = FailureReason
MEMORY = PlatformSurface.MEMORY


def completion(content: Any, *, finish_reason: Any = "stop", model: str = "m-1", **extra: Any) -> dict[str, Any]:
    """A chat completion. extra: fields at the top level."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46},
    } | extra


def with_message(finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """A completion with fields of the message."""
    body = completion(None, finish_reason=finish_reason)
    body["choices"][0]["message"] |= message
    return body


def zhipu_result(refer: Any, url: str, title: str = "壶评") -> dict[str, Any]:
    """An entry of 智谱's web_search list."""
    return {
        "refer": refer,
        "title": title,
        "link": url,
        "media": "壶友网",
        "content": "三款壶的比较",
        "icon": "https://icons.example/a.png",
        "publish_date": "2026-10-02",
    }


def qianfan_result(index: Any, url: str) -> dict[str, Any]:
    """An entry of 文心's search_results."""
    return {"index": index, "url": url, "title": "手冲壶指南"}


TRAPS: list[Trap] = [
    valid(
        "chat",
        "reasoning inside the content",
        completion("<think>用户可能想要山岚。</think>推荐木石坊。"),
        Expected("推荐木石坊。", reasoning="用户可能想要山岚。", happened=NO),
        surface=MEMORY,
    ),
    valid(
        "chat",
        "reasoning without its start",
        completion("也许山岚。</think>\n推荐木石坊。"),
        Expected("推荐木石坊。", reasoning="也许山岚。", happened=NO),
        surface=MEMORY,
    ),
    failing("chat", "reasoning that never ends", completion("<think>也许山岚，也许"), R.UNREADABLE, surface=MEMORY),
    valid(
        "chat",
        "reasoning in a field of its own",
        with_message(content="推荐一盏。", reasoning_content="先想山岚"),
        Expected("推荐一盏。", reasoning="先想山岚", happened=NO),
        surface=MEMORY,
    ),
    failing(
        "chat", "an ending that is no success", completion("我推荐山", finish_reason="error"), R.BUSY, surface=MEMORY
    ),
    failing("chat", "an ending nobody knows", completion("我推荐山", finish_reason="paused"), R.BUSY, surface=MEMORY),
    failing("chat", "no ending at all", completion("我推荐山", finish_reason=None), R.BUSY, surface=MEMORY),
    valid(
        "chat",
        "cut by the token limit",
        completion("1. 山岚\n2. 木石", finish_reason="length"),
        Expected("1. 山岚\n2. 木石", truncated=True, happened=NO),
        surface=MEMORY,
    ),
    failing(
        "chat",
        "thinking used up the tokens",
        with_message("length", content="", reasoning_content="先想一想…"),
        R.UNFINISHED,
        surface=MEMORY,
    ),
    failing(
        "chat",
        "a tool call instead of an answer",
        with_message(
            "tool_calls",
            tool_calls=[{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}],
        ),
        R.CONFIG,
        surface=MEMORY,
    ),
    valid(
        "chat",
        "content as parts",
        completion([{"type": "text", "text": "推荐"}, {"type": "text", "text": "山岚。"}]),
        Expected("推荐山岚。", happened=NO),
        surface=MEMORY,
    ),
    failing(
        "chat",
        "an HTTP status inside a 200",
        {"error": {"code": 402, "message": "Insufficient credits"}},
        R.QUOTA,
        surface=MEMORY,
    ),
    failing(
        "chat",
        "thinking must be off",
        {
            "error": {
                "code": "invalid_parameter_error",
                "message": "parameter.enable_thinking must be set to false for non-streaming calls",
            }
        },
        R.CONFIG,
        status=400,
        surface=MEMORY,
    ),
    Trap(
        "chat",
        "wait in milliseconds",
        [Canned({"error": {"message": "slow down"}}, 429, {"retry-after-ms": "1500"})],
        R.RATE,
        surface=MEMORY,
        wait_seconds=1.5,
    ),
    Trap(
        "chat",
        "wait in Chinese",
        [Canned({"error": {"message": "请求过于频繁，请在 17 秒后重试"}}, 429)],
        R.RATE,
        surface=MEMORY,
        wait_seconds=17,
    ),
    valid(
        "chat",
        "another model than asked for",
        completion("山岚。", model="m-2"),
        Expected("山岚。", model="m-2", happened=NO),
        surface=MEMORY,
    ),
    failing("chat", "a refusal", with_message(refusal="不能回答", content=None), R.FILTERED, surface=MEMORY),
    # 智谱
    valid(
        "zhipu",
        "sources with marks",
        completion(
            "山岚控温准[ref_2]。",
            web_search=[zhipu_result("ref_1", "https://a.example/1"), zhipu_result("ref_2", "https://b.example/2")],
        ),
        Expected(
            "山岚控温准[ref_2]。",
            searches=1,
            queries=None,
            sources=[("https://a.example/1", RESULT, UNKNOWN), ("https://b.example/2", RESULT, YES)],
            cited_text=[("[ref_2]", [1])],
        ),
    ),
    valid(
        "zhipu",
        "duplicate results are counted",
        completion(
            "山岚好[ref_3]。",
            web_search=[
                zhipu_result("ref_1", "https://a.example/1"),
                zhipu_result("ref_2", "https://a.example/1"),
                zhipu_result("ref_3", "https://c.example/3"),
            ],
        ),
        Expected(
            sources=[
                ("https://a.example/1", RESULT, UNKNOWN),
                ("https://a.example/1", RESULT, UNKNOWN),
                ("https://c.example/3", RESULT, YES),
            ],
            cited_text=[("[ref_3]", [2])],
        ),
    ),
    valid(
        "zhipu",
        "silent skip: an empty list",
        completion("山岚好。", web_search=[]),
        Expected("山岚好。", happened=NO, sources=[]),
    ),
    valid(
        "zhipu", "no list: nothing is known", completion("山岚好。"), Expected("山岚好。", happened=UNKNOWN, sources=[])
    ),
    valid(
        "zhipu",
        "no marks in the text",
        completion("山岚好。", web_search=[zhipu_result("ref_1", "https://a.example/1")]),
        Expected(sources=[("https://a.example/1", RESULT, UNKNOWN)], cited_text=[]),
    ),
    valid(
        "zhipu",
        "marks beyond the list",
        completion("山岚好[ref_9]。", web_search=[zhipu_result("ref_1", "https://a.example/1")]),
        Expected(sources=[("https://a.example/1", RESULT, UNKNOWN)], cited_text=[]),
    ),
    failing("zhipu", "sensitive", completion("", finish_reason="sensitive"), R.FILTERED),
    failing("zhipu", "network_error", completion("山", finish_reason="network_error"), R.BUSY),
    failing("zhipu", "error of its own in a 200", {"code": 1113, "msg": "账户已欠费", "success": False}, R.QUOTA),
    failing(
        "zhipu",
        "a parameter is wrong",
        {"error": {"code": "1210", "message": "API 调用参数有误"}},
        R.CONFIG,
        status=400,
    ),
    # 文心
    valid(
        "qianfan",
        "marks after de-duplication",
        completion(
            "山岚控温准^[2]^，木石坊耐用^[1][3]^。",
            search_results=[
                qianfan_result(1, "https://a.example/1"),
                qianfan_result(2, "https://a.example/1?utm_source=x"),
                qianfan_result(3, "https://c.example/3"),
                qianfan_result(4, "https://d.example/4"),
            ],
        ),
        Expected(
            sources=[
                ("https://a.example/1", RESULT, YES),
                ("https://a.example/1?utm_source=x", RESULT, YES),
                ("https://c.example/3", RESULT, YES),
                ("https://d.example/4", RESULT, NO),
            ],
            cited_text=[("^[2]^", [1]), ("^[1][3]^", [0, 2])],
            searches=1,
        ),
    ),
    valid(
        "qianfan",
        "index out of order",
        completion(
            "山岚好^[1]^。",
            search_results=[qianfan_result(2, "https://b.example/"), qianfan_result(1, "https://a.example/")],
        ),
        Expected(
            sources=[("https://b.example/", RESULT, NO), ("https://a.example/", RESULT, YES)],
            cited_text=[("^[1]^", [1])],
        ),
    ),
    valid("qianfan", "silent skip", completion("山岚好。"), Expected("山岚好。", happened=NO, sources=[])),
    valid("qianfan", "the ending `normal`", completion("山岚好。", finish_reason="normal"), Expected(happened=NO)),
    valid(
        "qianfan",
        "reasoning inside the content",
        completion("<think>[1]</think>山岚好^[1]^。", search_results=[qianfan_result(1, "https://a.example/")]),
        Expected("山岚好^[1]^。", cited_text=[("^[1]^", [0])]),
    ),
    failing(
        "qianfan", "unsafe", {"error": {"code": "unsafe_request", "message": "x", "type": "x"}}, R.FILTERED, status=400
    ),
]
