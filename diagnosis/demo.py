"""The demo platform: an OpenAI-compatible endpoint about fictional brands, so that the site runs without a key.

Served with DEMO=1 only. It is a platform like any other to the run, asked over HTTP, and marked as demo everywhere;
it never stands in for a real platform. The same body gives the same answer.
"""

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

BRANDS = ["山岚", "云栖壶", "木石坊", "松间集", "半日闲", "一盏", "青禾器", "Kettlewood"]
OPENINGS = [
    "如果是日常使用，我会先看这几个牌子：",
    "按口碑和性价比来说，可以考虑下面几款：",
    "这个问题没有唯一答案，不过常被提到的有：",
    "新手入门的话，建议从这些品牌里挑：",
]
PRAISES = [
    "做工扎实，售后也稳定",
    "上手容易，适合新手",
    "设计好看，价格略高",
    "性价比突出",
    "控温准，口碑一直不错",
    "小众但用料讲究",
]
CLOSINGS = ["以上仅供参考，建议结合预算选择。", "最好先到店里上手试一试。", "不同批次略有差别，下单前看看近期评价。"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: str
    content: str


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[_Message]
    seed: int = 0


@csrf_exempt
async def chat_completions(request: HttpRequest) -> HttpResponse:
    """POST /demo/v1/chat/completions, as a platform would answer."""
    if not settings.DEMO:
        raise Http404
    try:
        body = _Body.model_validate_json(request.body)
    except ValidationError:
        return _refusal(400, "invalid_request_error", "the body is not a chat completion request")
    behaviour = MODELS.get(body.model)
    if behaviour is None:
        return _refusal(404, "model_not_found", f"no model {body.model[:64]}; there are {', '.join(MODELS)}")
    digest = hashlib.sha256(f"{body.model}|{body.seed}|{body.messages[-1:]}".encode()).digest()
    return await behaviour(body, random.Random(digest))


async def _fast(body: _Body, dice: random.Random) -> HttpResponse:
    await _sleep(dice.uniform(0.3, 1.5))
    return _completion(body, dice)


async def _slow(body: _Body, dice: random.Random) -> HttpResponse:
    await _sleep(dice.uniform(3, 8))
    return _completion(body, dice)


async def _quota(body: _Body, dice: random.Random) -> HttpResponse:
    await _sleep(0.2)
    return _refusal(429, "insufficient_quota", "You exceeded your current quota (demo)")


async def _flaky(body: _Body, dice: random.Random) -> HttpResponse:
    """Half of the calls fail, in one of four ways; another attempt is another throw."""
    await _sleep(dice.uniform(0.2, 1.0))
    throw = dice.random()
    if throw < 0.15:
        return _refusal(429, "rate_limit_exceeded", "slow down (demo)", {"Retry-After": "1"})
    if throw < 0.3:
        return _refusal(503, "service_unavailable", "busy (demo)")
    if throw < 0.4:
        return HttpResponse("<html>bad gateway (demo)</html>", status=200)
    if throw < 0.5:
        return _refusal(400, "content_filter", "not a topic for me (demo)")
    return _completion(body, dice)


async def _down(body: _Body, dice: random.Random) -> HttpResponse:
    await _sleep(0.2)
    return _refusal(503, "service_unavailable", "down for good (demo)")


MODELS: dict[str, Callable[[_Body, random.Random], Awaitable[HttpResponse]]] = {
    "demo-fast": _fast,
    "demo-slow": _slow,
    "demo-quota": _quota,
    "demo-flaky": _flaky,
    "demo-down": _down,
}


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds * settings.DEMO_LATENCY)


def _answer(body: _Body, dice: random.Random) -> str:
    # Popularity falls from the first brand to the last, so that a report has something to show.
    weights = [1 / (rank + 1) ** 0.6 for rank in range(len(BRANDS))]
    chosen = list(dict.fromkeys(dice.choices(BRANDS, weights, k=dice.randint(2, 6))))
    lines = [f"{number}. {brand}：{dice.choice(PRAISES)}。" for number, brand in enumerate(chosen, 1)]
    return "\n".join([dice.choice(OPENINGS), *lines, dice.choice(CLOSINGS), "（演示回答，品牌均为虚构）"])


def _completion(body: _Body, dice: random.Random) -> HttpResponse:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": _answer(body, dice)},
    }
    answer = {
        "id": f"demo-{dice.getrandbits(64):016x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.model,
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
    return HttpResponse(json.dumps(answer, ensure_ascii=False), content_type="application/json")


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    error = {"message": message, "type": code, "code": code}
    return JsonResponse({"error": error}, status=status, headers=headers)
