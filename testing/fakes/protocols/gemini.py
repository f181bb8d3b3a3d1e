"""Gemini's own protocol."""

from typing import Any

from diagnosis.choices import FailureReason
from testing.fakes.protocols.trap import NO, RESULT, UNKNOWN, YES, Expected, Trap, failing, valid

R = FailureReason
REDIRECT = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"


def content(*parts: Any, finish: str = "STOP", grounding: Any = None, model: str = "m-1") -> dict[str, Any]:
    """A response with these parts."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": 0}
    if grounding is not None:
        candidate["groundingMetadata"] = grounding
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 20, "thoughtsTokenCount": 5, "toolUsePromptTokenCount": 7}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}


def part(text: str, *, thought: bool = False) -> dict[str, Any]:
    """A part of the answer or of its thoughts."""
    return {"text": text} | ({"thought": True} if thought else {})


def grounding(queries: list[str], pages: list[str], *supports: Any) -> dict[str, Any]:
    """The metadata of a search. pages: the ends of the redirects."""
    chunks = [{"web": {"uri": REDIRECT + page, "title": f"{page}.example"}} for page in pages]
    return {"webSearchQueries": queries, "groundingChunks": chunks, "groundingSupports": list(supports)}


def support(answer: str, quoted: str, *indices: int, part_index: int | None = None, **segment: Any) -> dict[str, Any]:
    """A support of a part of an answer, in bytes."""
    start = len(answer[: answer.index(quoted)].encode())
    place = {"endIndex": start + len(quoted.encode()), "text": quoted} | ({"startIndex": start} if start else {})
    if part_index is not None:
        place["partIndex"] = part_index
    return {"segment": place | segment, "groundingChunkIndices": list(indices)}


_TEXT = "推荐🫖山岚，也可以看木石坊。"

TRAPS: list[Trap] = [
    valid(
        "gemini",
        "bytes are not characters",
        content(
            part(_TEXT),
            grounding=grounding(["手冲壶"], ["a", "b", "c"], support(_TEXT, "山岚", 1), support(_TEXT, "木石坊", 0, 1)),
        ),
        Expected(
            _TEXT,
            queries=["手冲壶"],
            count=1,
            searches=1,
            sources=[(REDIRECT + "a", RESULT, YES), (REDIRECT + "b", RESULT, YES), (REDIRECT + "c", RESULT, NO)],
            cited_text=[("山岚", [1]), ("木石坊", [0, 1])],
        ),
    ),
    valid(
        "gemini",
        "a thought before the answer",
        content(
            part("也许一盏", thought=True),
            part(_TEXT),
            grounding=grounding(["壶"], ["a"], support(_TEXT, "山岚", 0, part_index=1)),
        ),
        Expected(_TEXT, reasoning="也许一盏", cited_text=[("山岚", [0])]),
    ),
    valid(
        "gemini",
        "several parts",
        content(
            part("先说一句。"),
            part(_TEXT),
            grounding=grounding(["壶"], ["a"], support(_TEXT, "木石坊", 0, part_index=1)),
        ),
        Expected("先说一句。" + _TEXT, cited_text=[("木石坊", [0])]),
    ),
    valid(
        "gemini",
        "offsets that do not fit their text",
        content(part(_TEXT), grounding=grounding(["壶"], ["a"], support(_TEXT, "山岚", 0, startIndex=1, endIndex=5))),
        Expected(cited_text=[("山岚", [0])]),
    ),
    valid(
        "gemini",
        "chunk indices beyond the list",
        content(part(_TEXT), grounding=grounding(["壶"], ["a"], support(_TEXT, "山岚", 7))),
        Expected(sources=[(REDIRECT + "a", RESULT, NO)], cited_text=[]),
    ),
    valid("gemini", "silent skip", content(part("山岚好。")), Expected("山岚好。", happened=NO, sources=[])),
    valid(
        "gemini",
        "a search without supports",
        content(part("山岚好。"), grounding=grounding(["壶"], ["a"])),
        Expected(sources=[(REDIRECT + "a", RESULT, UNKNOWN)], cited_text=[]),
    ),
    valid(
        "gemini",
        "several queries are billed",
        content(part("山岚好。"), grounding=grounding(["壶", "壶 二"], ["a"])),
        Expected(count=2, searches=2),
    ),
    valid(
        "gemini",
        "truncated",
        content(part("1. 山"), finish="MAX_TOKENS"),
        Expected("1. 山", truncated=True, happened=NO),
    ),
    failing(
        "gemini", "thinking used up the tokens", content(part("想", thought=True), finish="MAX_TOKENS"), R.UNFINISHED
    ),
    failing("gemini", "no parts at the limit", content(finish="MAX_TOKENS"), R.UNFINISHED),
    failing("gemini", "safety", content(finish="SAFETY"), R.FILTERED),
    failing("gemini", "recitation", content(part("山"), finish="RECITATION"), R.FILTERED),
    failing("gemini", "too many tool calls", content(part("山"), finish="TOO_MANY_TOOL_CALLS"), R.BUSY),
    failing("gemini", "a tool call", content({"functionCall": {"name": "f", "args": {}}}), R.CONFIG),
    failing("gemini", "a blocked prompt", {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, R.FILTERED),
    failing(
        "gemini",
        "a bad key",
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "API key not valid",
                "details": [{"reason": "API_KEY_INVALID"}],
            }
        },
        R.KEY,
        status=400,
    ),
    valid(
        "gemini",
        "another model than asked for",
        content(part("山岚好。"), model="gemini-4-argon-002"),
        Expected(model="gemini-4-argon-002", happened=NO),
    ),
]
