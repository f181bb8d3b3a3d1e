"""The Chat Completions endpoint of the demo platform: models that are fast, slow or faulty, and the search dialects."""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from pydantic import BaseModel, ConfigDict, ValidationError

from diagnosis.platforms.demo.answers import DEMO_CLOSINGS, DEMO_NOTICE, DEMO_OPENINGS, DEMO_PRAISES
from diagnosis.platforms.demo.views import answer_chat, build_demo_error
from diagnosis.platforms.demo.web import DEMO_BRANDS


class _ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: str
    content: str


class _ChatRequest(BaseModel):
    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[_ChatMessage]
    seed: int = 0


DemoResponder = Callable[[_ChatRequest, random.Random], Awaitable[HttpResponse]]


@csrf_exempt
async def chat_completions(request: HttpRequest) -> HttpResponse:
    """POST /demo/v1/chat/completions: respond as a platform would."""
    if not settings.DEMO:
        raise Http404
    if (searching := await _answer_search_model(request)) is not None:
        return searching
    try:
        body = _ChatRequest.model_validate_json(request.body)
    except ValidationError:
        return build_demo_error("the body is not a chat completion request")
    responder = DEMO_MODEL_RESPONDERS.get(body.model)
    if responder is None:
        return _build_error_response(
            404, "model_not_found", f"no model {body.model[:64]}; there are {', '.join(DEMO_MODEL_RESPONDERS)}"
        )
    digest = hashlib.sha256(f"{body.model}|{body.seed}|{body.messages[-1:]}".encode()).digest()
    return await responder(body, random.Random(digest))


async def _answer_search_model(request: HttpRequest) -> HttpResponse | None:
    """Respond as one of the models that search; None if another model is asked."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    if not isinstance(body, dict) or body.get("model") not in DEMO_SEARCH_MODELS:
        return None
    try:
        content = answer_chat(body)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return build_demo_error("the body is not a chat completion request with a search")
    await _simulate_latency(random.Random(request.body).uniform(0.5, 2.5))
    return JsonResponse(content, json_dumps_params={"ensure_ascii": False})


def _respond_after(min_seconds: float, max_seconds: float) -> DemoResponder:
    async def respond(body: _ChatRequest, rng: random.Random) -> HttpResponse:
        await _simulate_latency(rng.uniform(min_seconds, max_seconds))
        return _build_completion_response(body, rng)

    return respond


def _respond_with_error(status: int, code: str, message: str) -> DemoResponder:
    async def respond(body: _ChatRequest, rng: random.Random) -> HttpResponse:
        await _simulate_latency(0.2)
        return _build_error_response(status, code, message)

    return respond


async def _respond_flakily(body: _ChatRequest, rng: random.Random) -> HttpResponse:
    """Half of the calls fail, in one of four ways; each attempt draws again."""
    await _simulate_latency(rng.uniform(0.2, 1.0))
    roll = rng.random()
    if roll < 0.15:
        return _build_error_response(429, "rate_limit_exceeded", "slow down (demo)", {"Retry-After": "1"})
    if roll < 0.3:
        return _build_error_response(503, "service_unavailable", "busy (demo)")
    if roll < 0.4:
        return HttpResponse("<html>bad gateway (demo)</html>", status=200)
    if roll < 0.5:
        return _build_error_response(400, "content_filter", "not a topic for me (demo)")
    return _build_completion_response(body, rng)


# Models of the Chat Completions endpoint that search, each in the way of its vendor.
DEMO_SEARCH_MODELS = ("demo-glm-search", "demo-ernie-search", "demo-kimi-search")

DEMO_MODEL_RESPONDERS: dict[str, DemoResponder] = {
    "demo-fast": _respond_after(0.3, 1.5),
    "demo-slow": _respond_after(3, 8),
    "demo-quota": _respond_with_error(429, "insufficient_quota", "You exceeded your current quota (demo)"),
    "demo-flaky": _respond_flakily,
    "demo-down": _respond_with_error(503, "service_unavailable", "down for good (demo)"),
}


async def _simulate_latency(seconds: float) -> None:
    await asyncio.sleep(seconds * settings.DEMO_LATENCY)


def _build_completion_response(body: _ChatRequest, rng: random.Random) -> HttpResponse:
    # Popularity falls from the first brand to the last, so that the report shows differences.
    weights = [1 / (rank + 1) ** 0.6 for rank in range(len(DEMO_BRANDS))]
    chosen = list(dict.fromkeys(rng.choices(DEMO_BRANDS, weights, k=rng.randint(2, 6))))
    lines = [f"{number}. {brand}：{rng.choice(DEMO_PRAISES)}。" for number, brand in enumerate(chosen, 1)]
    text = "\n".join([rng.choice(DEMO_OPENINGS), *lines, rng.choice(DEMO_CLOSINGS), DEMO_NOTICE])
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    answer = {
        "id": f"demo-{rng.getrandbits(64):016x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
    return HttpResponse(json.dumps(answer, ensure_ascii=False), content_type="application/json")


def _build_error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    error = {"message": message, "type": code, "code": code}
    return JsonResponse({"error": error}, status=status, headers=headers)
