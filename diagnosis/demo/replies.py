"""Replies of demo platforms as a call returns them, read by the real protocols, without a request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from diagnosis.analysis.extraction import build_extraction
from diagnosis.choices import WireProtocol
from diagnosis.models import Platform
from diagnosis.platforms.client import build_profile, get_protocol
from diagnosis.platforms.demo import shapes
from diagnosis.platforms.demo.answers import DemoAnswer, Opinions, compose_answer
from diagnosis.platforms.endpoint import Endpoint
from diagnosis.platforms.protocols.base import StepResponse
from diagnosis.replies import PlatformReply


def _build_completion(model: str, answer: DemoAnswer, *, thinks: bool) -> Any:
    return shapes.build_chat_completion(model, answer.text, answer, thinks=thinks)


_BUILDERS: Mapping[str, Callable[..., Any]] = {
    WireProtocol.CHAT: _build_completion,
    WireProtocol.ZHIPU: shapes.build_zhipu_completion,
    WireProtocol.QIANFAN: shapes.build_qianfan_completion,
    WireProtocol.MESSAGES: shapes.build_messages_reply,
}


def build_reply(platform: Platform, question: str, seed: int, opinions: Opinions) -> tuple[PlatformReply, Any]:
    """Return a reply in one step, with what a judge says about it, verified as every judge's reply is."""
    profile = build_profile(platform, Endpoint.from_platform(platform).base_url, seed=seed)
    protocol = get_protocol(platform)
    answer = compose_answer(platform.model, question, seed, searches=profile.has_search, opinions=opinions)
    steps = protocol.run(profile, question)
    next(steps)
    try:
        steps.send(StepResponse(200, _BUILDERS[platform.protocol](platform.model, answer, thinks=False)))
    except StopIteration as stop:
        reply: PlatformReply = replace(
            stop.value,
            raw=(),
            protocol=WireProtocol(protocol.name),
            surface=profile.surface,
            requested_model=profile.model,
            params_hash=protocol.compute_params_hash(profile),
        )
        return reply, build_extraction(_judge(answer, opinions), reply.text)
    raise ValueError(f"{platform.protocol} needs more than one step")


def _judge(answer: DemoAnswer, opinions: Opinions) -> str:
    """Return what a judge replies that reads the answer correctly."""
    brands = []
    for brand, opinion in answer.opinions:
        is_criticized = brand in opinions.criticism
        brands.append(
            {
                "name": brand,
                "stance": "mentioned" if is_criticized else "recommended",
                "sentiment": "negative" if is_criticized else "positive",
                "quote": f"{brand}：{opinion}",
                "blame" if is_criticized else "praise": [opinion],
            }
        )
    return json.dumps({"brands": brands}, ensure_ascii=False)
