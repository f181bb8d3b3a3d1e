"""The Responses API of OpenAI, 豆包, 腾讯混元 and Perplexity."""

from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface
from testing.fakes.protocols.trap import CITATION, NO, OPENED, RESULT, UNKNOWN, YES, Expected, Trap, failing, valid

R = FailureReason


def response(
    *output: Any, status: Any = "completed", model: str = "m-1", usage: Any = None, **extra: Any
) -> dict[str, Any]:
    """A response with these items."""
    counts = {
        "input_tokens": 10,
        "output_tokens": 20,
        "total_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "model": model,
        "error": None,
        "incomplete_details": None,
        "output": list(output),
        "usage": counts | (usage or {}),
    } | extra


def message(text: str, annotations: Any = None, **extra: Any) -> dict[str, Any]:
    """A message item. annotations: None leaves the field out."""
    part: dict[str, Any] = {"type": "output_text", "text": text}
    if annotations is not None:
        part["annotations"] = annotations
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]} | extra


def citation(url: str, start: int | None = None, end: int | None = None, **extra: Any) -> dict[str, Any]:
    """A url_citation, with or without a place in the text."""
    place = {} if start is None else {"start_index": start, "end_index": end}
    return {"type": "url_citation", "url": url, "title": "壶评"} | place | extra


def search_call(queries: list[str] | str, urls: tuple[str, ...] = (), status: str = "completed") -> dict[str, Any]:
    """A web_search_call. queries: a list (OpenAI) or one text (豆包)."""
    action: dict[str, Any] = {"type": "search", "sources": [{"type": "url", "url": url} for url in urls]}
    action |= {"queries": queries} if isinstance(queries, list) else {"query": queries}
    return {"type": "web_search_call", "id": "ws_1", "status": status, "action": action}


def page_call(kind: str, url: str) -> dict[str, Any]:
    """An item for an opened page."""
    return {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": kind, "url": url}}


def app_call(*blocks: Any) -> dict[str, Any]:
    """豆包's app call."""
    return {
        "type": "doubao_app_call",
        "id": "app_1",
        "feature": "ai_search",
        "blocks": list(blocks),
        "status": "completed",
    }


def app_search(queries: list[str], *urls: str, kind: str = "search") -> dict[str, Any]:
    """A search block of 豆包's app."""
    cards = [{"url": url, "title": "壶评", "sitename": "壶友网", "summary": "比较", "index": 0} for url in urls]
    return {"type": kind, "queries": queries, "results": [{"text_card": card} for card in cards]}


_TEXT = "山岚🫖控温准，木石坊耐用。"
_A, _B, _C = "https://a.example/1", "https://b.example/2", "https://c.example/3"

TRAPS: list[Trap] = [
    valid(
        "responses",
        "exposure list wider than the citations",
        response(search_call(["手冲壶 推荐", "手冲壶 测评"], (_A, _B, _C)), message(_TEXT, [citation(_B, 0, 6)])),
        Expected(
            _TEXT,
            queries=["手冲壶 推荐", "手冲壶 测评"],
            count=1,
            searches=1,
            sources=[(_A, RESULT, NO), (_B, RESULT, YES), (_C, RESULT, NO)],
            cited_text=[("山岚🫖控温准"[:6], [1])],
        ),
    ),
    valid(
        "responses",
        "tracking and fragments split a page",
        response(
            search_call(["壶"], ("https://www.a.example/1/?utm_source=openai",)),
            message("山岚好。", [citation("http://a.example/1#ws_call_id=ws_1", 0, 2)]),
        ),
        Expected(sources=[("https://www.a.example/1/?utm_source=openai", RESULT, YES)], cited_text=[("山岚", [0])]),
    ),
    valid(
        "responses",
        "a citation outside of the list",
        response(search_call(["壶"], (_A,)), message("山岚好。", [citation(_C, 0, 2)])),
        Expected(sources=[(_A, RESULT, NO), (_C, CITATION, YES)], cited_text=[("山岚", [1])]),
    ),
    valid(
        "responses",
        "an opened page",
        response(
            search_call(["壶"], (_A,)),
            page_call("open_page", _A),
            page_call("find_in_page", _A),
            page_call("open_page", _B),
            message("山岚好。", []),
        ),
        Expected(count=1, sources=[(_A, OPENED, NO), (_B, OPENED, NO)]),
    ),
    valid(
        "responses", "silent skip", response(message("山岚好。", [])), Expected(happened=NO, sources=[], queries=None)
    ),
    valid(
        "responses",
        "a failed search in a 200",
        response(search_call(["壶"], status="failed"), message("抱歉，搜索不可用。", [])),
        Expected(happened=NO, errors=["search failed"]),
    ),
    valid(
        "responses",
        "no annotations: nothing is known",
        response(search_call(["壶"], (_A,)), message("山岚好。")),
        Expected(sources=[(_A, RESULT, UNKNOWN)], cited_text=[]),
    ),
    valid(
        "responses",
        "several parts and messages",
        response(search_call(["壶"], (_A,)), message("先看。", []), message("山岚好。", [citation(_A, 0, 2)])),
        Expected("先看。\n山岚好。", cited_text=[("山岚", [0])]),
    ),
    valid(
        "responses",
        "billed searches only",
        response(
            search_call(["壶"], (_A,)),
            search_call(["壶 二"], ()),
            message("山岚好。", []),
            tool_usage={"web_search": {"num_requests": 1}},
        ),
        Expected(count=2, searches=1),
    ),
    valid(
        "responses",
        "truncated",
        response(
            search_call(["壶"], (_A,)),
            message("1. 山", []),
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        Expected("1. 山", truncated=True),
    ),
    failing(
        "responses",
        "thinking used up the tokens",
        response(
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "想"}]},
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        R.UNFINISHED,
    ),
    failing(
        "responses",
        "incomplete by a filter",
        response(message("山", []), status="incomplete", incomplete_details={"reason": "content_filter"}),
        R.FILTERED,
    ),
    failing(
        "responses",
        "failed in a 200",
        response(status="failed", error={"code": "server_error", "message": "try again"}),
        R.UNREADABLE,
    ),
    failing("responses", "queued", response(status="queued"), R.BUSY),
    failing("responses", "no status", response(message("山岚好。", []), status=None), R.BUSY),
    failing(
        "responses", "a function call", response({"type": "function_call", "name": "f", "arguments": "{}"}), R.CONFIG
    ),
    valid(
        "responses",
        "reasoning apart",
        response(
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "也许山岚"}]}, message("木石坊好。", [])
        ),
        Expected("木石坊好。", reasoning="也许山岚", happened=NO),
    ),
    valid(
        "responses",
        "another model than asked for",
        response(message("山岚好。", []), model="m-2-20261001"),
        Expected(model="m-2-20261001", happened=NO),
        surface=PlatformSurface.MEMORY,
    ),
    failing(
        "responses",
        "refused",
        response({"type": "message", "content": [{"type": "refusal", "refusal": "不"}]}),
        R.FILTERED,
    ),
    # 豆包
    valid(
        "ark",
        "citations without a place",
        response(
            search_call("手冲壶"),
            search_call("手冲壶 价格"),
            message(
                "山岚好。",
                [citation(_A, site_name="壶友网", publish_time="2026-10-01", mobile_url="https://m.a.example/1")],
            ),
            usage={"tool_usage": {"web_search": 2}},
        ),
        Expected(queries=["手冲壶", "手冲壶 价格"], count=2, searches=2, sources=[(_A, CITATION, YES)], cited_text=[]),
    ),
    valid(
        "ark",
        "an apology for a failed search",
        response(search_call("手冲壶", status="failed"), message("抱歉，暂时无法搜索。")),
        Expected(happened=NO, errors=["search failed"], sources=[]),
    ),
    valid("ark", "search asked for and ignored", response(message("山岚好。")), Expected(happened=NO, sources=[])),
    failing(
        "ark",
        "plugin not activated",
        {"error": {"code": "ToolNotOpen", "message": "web_search is not activated", "type": "NotFound"}},
        R.CONFIG,
        status=404,
    ),
    valid(
        "ark",
        "the app: marks follow the raw list, duplicates counted",
        response(
            app_call(
                app_search(["手冲壶"], _A, _A, _B),
                {"type": "reasoning_text", "reasoning_text": "想想山岚"},
                {"type": "output_text", "text": "木石坊耐用[3]，山岚[1]。"},
            )
        ),
        Expected(
            "木石坊耐用[3]，山岚[1]。",
            reasoning="想想山岚",
            queries=["手冲壶"],
            count=1,
            sources=[(_A, RESULT, YES), (_A, RESULT, NO), (_B, RESULT, YES)],
            cited_text=[("[3]", [2]), ("[1]", [0])],
        ),
        surface=PlatformSurface.APP,
    ),
    valid(
        "ark",
        "the app: several searches, one count",
        response(
            app_call(
                app_search(["壶"], _A),
                {"type": "output_text", "text": "山岚[1]。"},
                app_search(["壶 二"], _B, kind="reasoning_search"),
                {"type": "output_text", "text": "木石坊[2]。"},
            )
        ),
        Expected(
            "山岚[1]。木石坊[2]。",
            queries=["壶", "壶 二"],
            count=2,
            sources=[(_A, RESULT, YES), (_B, RESULT, YES)],
            cited_text=[("[1]", [0]), ("[2]", [1])],
        ),
        surface=PlatformSurface.APP,
    ),
    valid(
        "ark",
        "the app answers without a search",
        response(app_call({"type": "output_text", "text": "山岚好。"})),
        Expected("山岚好。", happened=NO, sources=[]),
        surface=PlatformSurface.APP,
    ),
    # 混元
    valid(
        "tokenhub",
        "citations with an index",
        response(
            search_call(["手冲壶"]),
            message("山岚好。", [citation(_A, index=1)]),
            usage={"tool_usage": {"web_search_call": 1}},
        ),
        Expected(searches=1, sources=[(_A, CITATION, YES)]),
    ),
    valid("tokenhub", "nothing tells whether it searched", response(message("山岚好。")), Expected(happened=UNKNOWN)),
    valid(
        "tokenhub",
        "usage tells that it did not",
        response(message("山岚好。"), usage={"tool_usage": {"web_search_call": 0}}),
        Expected(happened=NO, searches=0),
    ),
    failing(
        "tokenhub", "content filter", {"error": {"code": "451001", "message": "x", "type": "x"}}, R.FILTERED, status=451
    ),
    # Perplexity
    valid(
        "perplexity",
        "results and citations",
        response(
            {
                "type": "search_results",
                "queries": ["pour over kettle"],
                "results": [
                    {"id": 1, "url": _A, "title": "A", "snippet": "s", "date": "2026-09-01"},
                    {"id": 2, "url": _B},
                ],
            },
            {"type": "fetch_url_results", "contents": [{"url": _B, "title": "B", "snippet": "t"}]},
            message("Kettlewood.", [citation(_B, 0, 10)]),
            usage={
                "tool_calls_details": {"web_search": {"invocation": 3}},
                "cost": {"currency": "USD", "total_cost": 0.0123},
            },
        ),
        Expected(
            "Kettlewood.",
            queries=["pour over kettle"],
            searches=3,
            sources=[(_A, RESULT, NO), (_B, OPENED, YES)],
            cited_text=[("Kettlewood", [1])],
        ),
    ),
    valid("perplexity", "no search", response(message("Kettlewood.", [])), Expected(happened=NO, sources=[])),
]
