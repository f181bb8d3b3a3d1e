"""DashScope's own protocol."""

from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface
from testing.fakes.protocols.trap import NO, RESULT, UNKNOWN, YES, Expected, Trap, failing, valid

R = FailureReason


def generation(
    content: Any, *results: Any, finish_reason: str = "stop", searches: int | None = None, **message: Any
) -> dict[str, Any]:
    """A generation with these search results."""
    choice = {"finish_reason": finish_reason, "message": {"role": "assistant", "content": content} | message}
    output: dict[str, Any] = {"choices": [choice]}
    if results:
        output["search_info"] = {"search_results": list(results)}
    usage: dict[str, Any] = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
    if searches is not None:
        usage["plugins"] = {"search": {"count": searches, "strategy": "max"}}
    return {"request_id": "r-1", "output": output, "usage": usage}


def result(index: Any, url: str) -> dict[str, Any]:
    """An entry of search_results."""
    return {"index": index, "url": url, "title": "壶评", "site_name": "壶友网", "icon": ""}


_A, _B, _C = "https://a.example/1", "https://b.example/2", "https://c.example/3"

TRAPS: list[Trap] = [
    valid(
        "dashscope",
        "exposure list wider than the citations",
        generation("山岚控温准[2]。", result(1, _A), result(2, _B), result(3, _C), searches=1),
        Expected(
            "山岚控温准[2]。",
            count=1,
            searches=1,
            queries=None,
            sources=[(_A, RESULT, NO), (_B, RESULT, YES), (_C, RESULT, NO)],
            cited_text=[("[2]", [1])],
        ),
    ),
    valid(
        "dashscope",
        "indices out of order",
        generation("山岚[1]。", result(3, _C), result(1, _A), searches=1),
        Expected(sources=[(_C, RESULT, NO), (_A, RESULT, YES)]),
    ),
    valid(
        "dashscope",
        "indices zero and repeated: the place in the list counts",
        generation("山岚[2]。", result(0, _A), result(0, _B), result(1, _C), searches=1),
        Expected(sources=[(_A, RESULT, NO), (_B, RESULT, YES), (_C, RESULT, NO)], cited_text=[("[2]", [1])]),
    ),
    valid(
        "dashscope",
        "duplicate pages are counted before they are one",
        generation("山岚[3]。", result(1, _A), result(2, _A), result(3, _B), searches=1),
        Expected(sources=[(_A, RESULT, NO), (_A, RESULT, NO), (_B, RESULT, YES)]),
    ),
    valid("dashscope", "silent skip above the rate", generation("山岚好。"), Expected(happened=NO, sources=[])),
    valid(
        "dashscope",
        "no marks: nothing is known",
        generation("山岚好。", result(1, _A), searches=1),
        Expected(sources=[(_A, RESULT, UNKNOWN)], cited_text=[]),
    ),
    valid(
        "dashscope",
        "reasoning apart",
        generation("木石坊好。", reasoning_content="也许山岚"),
        Expected("木石坊好。", reasoning="也许山岚", happened=NO),
    ),
    valid(
        "dashscope",
        "truncated",
        generation("1. 山", finish_reason="length"),
        Expected("1. 山", truncated=True, happened=NO),
    ),
    failing(
        "dashscope",
        "thinking used up the tokens",
        generation("", finish_reason="length", reasoning_content="想"),
        R.UNFINISHED,
    ),
    valid("dashscope", "content as parts", generation([{"text": "山岚好。"}]), Expected("山岚好。", happened=NO)),
    valid(
        "dashscope",
        "the older shape",
        {"output": {"text": "山岚好。", "finish_reason": "stop"}, "usage": {}, "request_id": "r"},
        Expected("山岚好。", happened=NO),
        surface=PlatformSurface.MEMORY,
    ),
    failing("dashscope", "a generation that goes on", generation("山", finish_reason="null"), R.BUSY),
    failing(
        "dashscope",
        "arrears",
        {"code": "Arrearage", "message": "Access denied", "request_id": "r"},
        R.QUOTA,
        status=400,
    ),
    failing(
        "dashscope",
        "a model without search",
        {"code": "InvalidParameter", "message": "The model does not support enable_search.", "request_id": "r"},
        R.CONFIG,
        status=400,
    ),
    failing(
        "dashscope",
        "inspection",
        {"code": "DataInspectionFailed", "message": "x", "request_id": "r"},
        R.FILTERED,
        status=400,
    ),
    failing(
        "dashscope", "throttled in a 200", {"code": "Throttling.RateQuota", "message": "x", "request_id": "r"}, R.RATE
    ),
    valid(
        "dashscope_multimodal",
        "content as parts",
        generation([{"text": "山岚[1]。"}], result(1, _A), searches=1),
        Expected("山岚[1]。", sources=[(_A, RESULT, YES)]),
    ),
]
