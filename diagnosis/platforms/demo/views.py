"""The endpoints of the demo platform that search, one per protocol."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from diagnosis.platforms.demo import shapes
from diagnosis.platforms.demo.answers import MAX_RESULTS, DemoAnswer, compose_answer
from diagnosis.platforms.demo.web import search_pages
from diagnosis.platforms.seed import DEMO_PLATFORMS, DEMO_SEARCH_PLATFORMS

PAUSED_ANSWERS = 0.15  # of those of the Messages protocol
KIMI_TOOL = "web_search"
_BUILTIN_TOOL = "$web_search"

DemoView = Callable[..., Coroutine[Any, Any, HttpResponse]]
_Answer = Callable[[HttpRequest, dict[str, Any]], Any]


def _serve(respond: _Answer) -> DemoView:
    """Build a view: demo only, a JSON object in, JSON out, after the time that a search takes."""

    @csrf_exempt
    async def view(request: HttpRequest, **parameters: str) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        try:
            body = json.loads(request.body) if request.method == "POST" else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return build_demo_error("the body is not a JSON object")
        try:
            content = respond(request, body | parameters)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError):
            return build_demo_error("the body is not a request of this protocol")
        if request.method == "POST":
            rng = random.Random(request.body)
            await asyncio.sleep(rng.uniform(0.5, 2.5) * settings.DEMO_LATENCY)
        return JsonResponse(content, json_dumps_params={"ensure_ascii": False})

    return view


def build_demo_error(message: str) -> HttpResponse:
    """Return the error response to an invalid request."""
    error = {"message": message, "type": "invalid_request_error", "code": "invalid_request_error"}
    return JsonResponse({"error": error}, status=400)


def _compose(body: dict[str, Any], question: Any, *, searches: bool) -> DemoAnswer:
    model, seed = body["model"], body.get("seed", 0)
    if not (isinstance(model, str) and isinstance(question, str) and isinstance(seed, int)):
        raise ValueError
    return compose_answer(model, question, seed, searches=searches)


def answer_chat(body: dict[str, Any]) -> Any:
    """Return the completion for a chat request with search, by the vendor's way to ask for one."""
    messages, thinks = body["messages"], _thinks(body)
    question = messages[0]["content"]
    if body.get("web_search"):
        return shapes.build_qianfan_completion(body["model"], _compose(body, question, searches=True), thinks=thinks)
    tools = body.get("tools") or []
    if not tools:
        answer = _compose(body, question, searches=False)
        return shapes.build_chat_completion(body["model"], answer.text, answer, thinks=thinks)
    answer = _compose(body, question, searches=True)
    if tools[0]["type"] == "web_search":
        return shapes.build_zhipu_completion(body["model"], answer, thinks=thinks)
    name = tools[0]["function"]["name"]
    if name not in (KIMI_TOOL, _BUILTIN_TOOL):
        raise ValueError
    if answer.has_searched and messages[-1]["role"] != "tool":
        return shapes.build_kimi_tool_calls(body["model"], answer, name)
    return shapes.build_kimi_completion(body["model"], answer, thinks=thinks)


def _thinks(body: dict[str, Any]) -> bool:
    """Whether the request turns reasoning on, in any of the protocols' ways."""
    thinking = body.get("thinking") or {}
    effort = (body.get("reasoning") or {}).get("effort") or body.get("reasoning_effort")
    parameters = body.get("parameters") or {}
    level = ((body.get("generationConfig") or {}).get("thinkingConfig") or {}).get("thinkingLevel")
    return bool(
        thinking.get("type") in ("enabled", "adaptive")
        or (effort and effort not in ("none", "minimal"))
        or parameters.get("enable_thinking")
        or (level and level != "MINIMAL")
    )


def _answer_responses(request: HttpRequest, body: dict[str, Any]) -> Any:
    tools = body.get("tools") or []
    answer = _compose(body, body["input"], searches=bool(tools))
    if request.headers.get("ark-beta-doubao-app"):
        build = shapes.build_doubao_app_response
    elif request.headers.get("ark-beta-web-search"):
        build = shapes.build_ark_response
    elif "include" in body or not tools:
        build = shapes.build_openai_response
    else:
        build = shapes.build_tokenhub_response
    return build(body["model"], answer, thinks=_thinks(body))


def _answer_agent(request: HttpRequest, body: dict[str, Any]) -> Any:
    answer = _compose(body, body["input"], searches=bool(body.get("tools")))
    return shapes.build_perplexity_response(body["model"], answer, thinks=_thinks(body))


def _answer_messages(request: HttpRequest, body: dict[str, Any]) -> Any:
    messages = body["messages"]
    answer = _compose(body, messages[0]["content"], searches=bool(body.get("tools")))
    if messages[-1]["role"] == "assistant":
        return shapes.build_messages_continuation(body["model"], answer)
    pauses = answer.has_searched and random.Random(answer.text).random() < PAUSED_ANSWERS
    return shapes.build_messages_reply(body["model"], answer, thinks=_thinks(body), pauses=pauses)


def _answer_dashscope(request: HttpRequest, body: dict[str, Any]) -> Any:
    content = body["input"]["messages"][0]["content"]
    question = content if isinstance(content, str) else content[0]["text"]
    answer = _compose(body, question, searches=bool(body["parameters"].get("enable_search")))
    return shapes.build_dashscope_generation(body["model"], answer, thinks=_thinks(body))


def _answer_gemini(request: HttpRequest, body: dict[str, Any]) -> Any:
    question = body["contents"][0]["parts"][0]["text"]
    answer = _compose(body, question, searches=bool(body.get("tools")))
    return shapes.build_gemini_content(body["model"], answer, thinks=_thinks(body))


def _answer_fibers(request: HttpRequest, body: dict[str, Any]) -> Any:
    return shapes.build_kimi_fiber(search_pages(json.loads(body["arguments"])["query"], MAX_RESULTS))


def _list_formula_tools(request: HttpRequest, body: dict[str, Any]) -> Any:
    function = {"name": KIMI_TOOL, "description": "search the (fictional) web", "parameters": {"type": "object"}}
    return {"object": "list", "tools": [{"type": "function", "function": function}]}


def _list_models(request: HttpRequest, body: dict[str, Any]) -> Any:
    """In both shapes, that of OpenAI and that of Gemini."""
    ids = [model for model, *_rest in DEMO_PLATFORMS] + [seeded.model for seeded in DEMO_SEARCH_PLATFORMS]
    return {"data": [{"id": model} for model in ids], "models": [{"name": f"models/{model}"} for model in ids]}


responses = _serve(_answer_responses)
agent = _serve(_answer_agent)
messages = _serve(_answer_messages)
dashscope = _serve(_answer_dashscope)
gemini = _serve(_answer_gemini)
fibers = _serve(_answer_fibers)
formula_tools = _serve(_list_formula_tools)
models = _serve(_list_models)
