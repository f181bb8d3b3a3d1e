"""Whether the platforms still have the models of their rows: by their lists of models, and by the names in replies."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.utils import timezone

from diagnosis.choices import AnswerState
from diagnosis.exceptions import CallFailed
from diagnosis.models import Answer, Platform
from diagnosis.platforms.client import get_protocol
from diagnosis.platforms.endpoint import Endpoint
from diagnosis.platforms.protocols.base import build_url
from diagnosis.platforms.protocols.json_values import get_dicts, get_text
from diagnosis.platforms.transport import PlatformRequest, TransportError, send

log = structlog.get_logger(__name__)

LIST_TIMEOUT_SECONDS = 20.0
ECHO_DAYS, ECHO_ANSWERS = 30, 200
NOTICE_PREFIX = "［模型检查］"


@dataclass(frozen=True)
class ModelProblem:
    """A model that is gone, or whose replies come from another one. text: in Chinese, for operators."""

    platform: Platform
    is_missing: bool
    text: str


def find_model_problems() -> list[ModelProblem]:
    """Check the enabled real platforms and write the result into their rows; one without a list is not judged."""
    platforms = list(Platform.objects.enabled().filter(is_demo=False))
    listed = asyncio.run(_fetch_all(platforms))
    problems = []
    for platform, models in zip(platforms, listed, strict=True):
        problem = _find_missing(platform, models) or _find_changed(platform)
        notice = NOTICE_PREFIX + problem.text if problem else ""
        if notice != platform.notice and (problem or platform.notice.startswith(NOTICE_PREFIX)):
            Platform.objects.filter(pk=platform.pk).update(notice=notice)
        if problem:
            problems.append(problem)
    return problems


async def _fetch_all(platforms: Sequence[Platform]) -> list[set[str] | None]:
    return await asyncio.gather(*map(fetch_models, platforms))


async def fetch_models(platform: Platform) -> set[str] | None:
    """Return the ids that the platform lists; None if it has no list, or it cannot be read."""
    try:
        endpoint, protocol = Endpoint.from_platform(platform), get_protocol(platform)
        if not protocol.models_path:
            return None
        url = build_url(endpoint.base_url, protocol.models_path)
        headers = protocol.build_auth_headers(endpoint.key)
        response = await send(PlatformRequest("GET", url, headers, b""), timeout_seconds=LIST_TIMEOUT_SECONDS)
        body = json.loads(response.body) if response.status == 200 else None
    except (CallFailed, TransportError, ValueError, RecursionError) as error:
        log.warning("models_not_listed", platform=platform.pk, error=type(error).__name__)
        return None
    list_key, id_key = protocol.models_keys
    return {get_text(item, id_key).removeprefix("models/") for item in get_dicts(body, list_key)} - {""} or None


def _find_missing(platform: Platform, models: set[str] | None) -> ModelProblem | None:
    # An endpoint of one's own ("ep-…") is in no list.
    if models is None or platform.model.removeprefix("models/") in models or platform.model.startswith("ep-"):
        return None
    text = f"{platform.name}的模型 {platform.model} 不在平台的模型列表里，可能已下线或改名"
    return ModelProblem(platform, True, text)


def _find_changed(platform: Platform) -> ModelProblem | None:
    """Compare the model in the newest reply with earlier ones to the same request; alternating ones are no change."""
    answers = Answer.objects.filter(
        platform=platform,
        state=AnswerState.VALID,
        is_carried_over=False,
        requested_model=platform.model,
        answered_at__gte=timezone.now() - timedelta(days=ECHO_DAYS),
    ).exclude(model="")
    names = list(answers.order_by("-answered_at").values_list("model", flat=True)[:ECHO_ANSWERS])
    earlier = [name for name in names if name != names[0]]
    if not earlier or names[0] in names[names.index(earlier[0]) :]:
        return None
    text = f"{platform.name}的模型设置没有变，但回复从 {earlier[0]} 变成了 {names[0]}：前后的结果不能直接比较"
    return ModelProblem(platform, False, text)
