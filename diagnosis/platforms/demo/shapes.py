"""Write a demo answer in the shape of each protocol, as the platforms document it."""

import json
from typing import Any

from diagnosis.platforms.demo.answers import DemoAnswer
from diagnosis.platforms.demo.web import Page

_ENDINGS = {"chat": ("stop", "length"), "messages": ("end_turn", "max_tokens"), "gemini": ("STOP", "MAX_TOKENS")}


def _ending(answer: DemoAnswer, family: str) -> str:
    return _ENDINGS[family][answer.is_truncated]


def _count_tokens(answer: DemoAnswer) -> tuple[int, int]:
    """Return tokens in and out: about one a character, with the results that the model reads."""
    read = sum(len(page.snippet) for page in answer.results)
    return len(answer.question) + read, len(answer.text)


def build_chat_completion(model: str, content: str, answer: DemoAnswer, *, thinks: bool, **extra: Any) -> Any:
    """A completion with this content."""
    read, written = _count_tokens(answer)
    message = {"role": "assistant", "content": content} | ({"reasoning_content": answer.reasoning} if thinks else {})
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    choice = {"index": 0, "finish_reason": _ending(answer, "chat"), "message": message}
    return {"id": "demo", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage} | extra


def build_zhipu_completion(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    content = answer.render(lambda places: "".join(f"[ref_{place + 1}]" for place in places))
    results = [
        {
            "refer": f"ref_{number}",
            "title": page.title,
            "link": page.url,
            "media": page.site,
            "content": page.snippet,
            "publish_date": page.published,
        }
        for number, page in enumerate(answer.results, 1)
    ]
    return build_chat_completion(model, content, answer, thinks=thinks, web_search=results)


def build_qianfan_completion(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    content = answer.render(lambda places: "^" + "".join(f"[{place + 1}]" for place in places) + "^")
    results = [{"index": number, "url": page.url, "title": page.title} for number, page in enumerate(answer.results, 1)]
    extra = {"search_results": results} if results else {}
    return build_chat_completion(model, content, answer, thinks=thinks, **extra)


def build_kimi_tool_calls(model: str, answer: DemoAnswer, name: str) -> Any:
    """A completion that asks for the searches."""
    calls = [
        {
            "id": f"call-{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({"query": query}, ensure_ascii=False)},
        }
        for number, query in enumerate(answer.queries)
    ]
    body = build_chat_completion(model, "", answer, thinks=False)
    body["choices"][0] |= {"finish_reason": "tool_calls"}
    body["choices"][0]["message"]["tool_calls"] = calls
    return body


def build_kimi_fiber(pages: list[Page]) -> Any:
    results = [
        {"title": page.title, "url": page.url, "site_name": page.site, "snippet": page.snippet, "date": page.published}
        for page in pages
    ]
    output = json.dumps({"search_results": results}, ensure_ascii=False)
    return {"id": "fiber-demo", "object": "fiber", "status": "succeeded", "context": {"output": output}}


def build_kimi_completion(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    """The answer after the searches: it names addresses in its text, as the platform has no citations."""
    content = answer.render(lambda places: f"（{answer.results[places[0]].url} ）")
    return build_chat_completion(model, content, answer, thinks=thinks)


def _build_response(model: str, answer: DemoAnswer, items: list[Any], *, thinks: bool, **usage: Any) -> Any:
    read, written = _count_tokens(answer)
    if thinks:
        items = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": answer.reasoning}]}, *items]
    return {
        "id": "resp_demo",
        "object": "response",
        "model": model,
        "status": "incomplete" if answer.is_truncated else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if answer.is_truncated else None,
        "output": items,
        "usage": {"input_tokens": read, "output_tokens": written, **usage},
    }


def _build_message(answer: DemoAnswer, *, has_places: bool) -> Any:
    annotations = []
    position = 0
    for part, places in answer.segments:
        for place in places:
            page = answer.results[place]
            citation = {"type": "url_citation", "url": page.url, "title": page.title}
            if has_places:
                citation |= {"start_index": position, "end_index": position + len(part)}  # type: ignore[dict-item]
            else:
                citation |= {"site_name": page.site, "publish_time": page.published, "summary": page.snippet}
            annotations.append(citation)
        position += len(part)
    content = {"type": "output_text", "text": answer.text, "annotations": annotations}
    return {"type": "message", "role": "assistant", "status": "completed", "content": [content]}


def build_openai_response(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    sources = [{"type": "url", "url": page.url} for page in answer.results]
    searches = [
        {
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "queries": [query], "sources": sources if number == 0 else []},
        }
        for number, query in enumerate(answer.queries)
    ]
    items = [*searches, _build_message(answer, has_places=True)]
    return _build_response(model, answer, items, thinks=thinks)


def build_ark_response(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    searches = [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": query}}
        for query in answer.queries
    ]
    items = [*searches, _build_message(answer, has_places=False)]
    return _build_response(model, answer, items, thinks=thinks, tool_usage={"web_search": len(searches)})


def build_doubao_app_response(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    cards = [
        {
            "text_card": {
                "url": page.url,
                "title": page.title,
                "sitename": page.site,
                "summary": page.snippet,
                "publish_time": page.published,
                "index": number,
            }
        }
        for number, page in enumerate(answer.results)
    ]
    blocks: list[Any] = [{"type": "search", "queries": list(answer.queries), "results": cards}] if cards else []
    if thinks:
        blocks.append({"type": "reasoning_text", "reasoning_text": answer.reasoning})
    content = answer.render(lambda places: "".join(f"[{place + 1}]" for place in places))
    blocks.append({"type": "output_text", "text": content})
    return _build_response(model, answer, [{"type": "doubao_app_call", "blocks": blocks}], thinks=False)


def build_tokenhub_response(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    body = build_ark_response(model, answer, thinks=thinks)
    body["usage"]["tool_usage"] = {"web_search_call": len(answer.queries)}
    return body


def build_perplexity_response(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    results = [
        {"id": number, "url": page.url, "title": page.title, "snippet": page.snippet, "date": page.published}
        for number, page in enumerate(answer.results, 1)
    ]
    found = [{"type": "search_results", "queries": list(answer.queries), "results": results}] if results else []
    items = [*found, _build_message(answer, has_places=True)]
    counts = {"search_web": {"invocation": len(answer.queries)}}
    return _build_response(model, answer, items, thinks=thinks, tool_calls_details=counts)


def build_messages_reply(model: str, answer: DemoAnswer, *, thinks: bool, pauses: bool = False) -> Any:
    """A message; with `pauses` only its searches."""
    read, written = _count_tokens(answer)
    content: list[Any] = [{"type": "thinking", "thinking": answer.reasoning, "signature": ""}] if thinks else []
    results = [
        {"type": "web_search_result", "url": page.url, "title": page.title, "page_age": page.published}
        for page in answer.results
    ]
    for number, query in enumerate(answer.queries):
        content += [
            {"type": "server_tool_use", "id": f"srvtoolu_{number}", "name": "web_search", "input": {"query": query}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": f"srvtoolu_{number}",
                "content": results if number == 0 else [],
            },
        ]
    if not pauses:
        content += [_build_text_block(answer, part, places) for part, places in answer.segments]
    usage = {"input_tokens": read, "output_tokens": 0 if pauses else written}
    return {
        "id": "msg_demo",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "pause_turn" if pauses else _ending(answer, "messages"),
        "usage": usage | {"server_tool_use": {"web_search_requests": len(answer.queries)}},
    }


def _build_text_block(answer: DemoAnswer, part: str, places: tuple[int, ...]) -> Any:
    pages = [answer.results[place] for place in places]
    cited = [
        {
            "type": "web_search_result_location",
            "url": page.url,
            "title": page.title,
            "cited_text": page.snippet[:80],
        }
        for page in pages
    ]
    return {"type": "text", "text": part} | ({"citations": cited} if cited else {})


def build_messages_continuation(model: str, answer: DemoAnswer) -> Any:
    """The rest of a message after its pause."""
    body = build_messages_reply(model, answer, thinks=False)
    body["content"] = [block for block in body["content"] if block["type"] == "text"]
    body["usage"]["server_tool_use"] = {"web_search_requests": 0}
    return body


def build_dashscope_generation(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    read, written = _count_tokens(answer)
    content = answer.render(lambda places: "".join(f"[{place + 1}]" for place in places))
    message = {"role": "assistant", "content": content} | ({"reasoning_content": answer.reasoning} if thinks else {})
    output: dict[str, Any] = {"choices": [{"finish_reason": _ending(answer, "chat"), "message": message}]}
    usage: dict[str, Any] = {"input_tokens": read, "output_tokens": written}
    if answer.results:
        results = [
            {"index": number, "title": page.title, "url": page.url, "site_name": page.site}
            for number, page in enumerate(answer.results, 1)
        ]
        output["search_info"] = {"search_results": results}
        usage["plugins"] = {"search": {"count": len(answer.queries)}}
    return {"request_id": "demo", "output": output, "usage": usage}


def build_gemini_content(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    read, written = _count_tokens(answer)
    parts: list[Any] = [{"text": answer.reasoning, "thought": True}] if thinks else []
    parts.append({"text": answer.text})
    candidate: dict[str, Any] = {
        "content": {"role": "model", "parts": parts},
        "finishReason": _ending(answer, "gemini"),
    }
    if answer.queries:
        candidate["groundingMetadata"] = {
            "webSearchQueries": list(answer.queries),
            "groundingChunks": [{"web": {"uri": page.url, "title": page.title}} for page in answer.results],
            "groundingSupports": _build_supports(answer, len(parts) - 1),
        }
    usage = {"promptTokenCount": read, "candidatesTokenCount": written}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}


def _build_supports(answer: DemoAnswer, part_index: int) -> list[Any]:
    """Citations in bytes of the part."""
    supports, position = [], 0
    for part, places in answer.segments:
        length = len(part.encode())
        if places:
            segment = {"partIndex": part_index, "startIndex": position, "endIndex": position + length, "text": part}
            supports.append({"segment": segment, "groundingChunkIndices": list(places)})
        position += length
    return supports
