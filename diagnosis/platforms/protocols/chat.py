"""OpenAI Chat Completions, which most platforms speak."""

import json
from typing import Any

from diagnosis.choices import FailureReason
from diagnosis.platforms.endpoint import Endpoint, sanitize_text
from diagnosis.platforms.errors import classify_finish_reason
from diagnosis.platforms.transport import PlatformRequest, PlatformResponse
from diagnosis.replies import PlatformReply, Usage


def build_request(endpoint: Endpoint, model: str, question: str, *, seed: int | None) -> PlatformRequest:
    """Build the request of one question. seed: sent if given."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}]}
    if seed is not None:
        body["seed"] = seed
    headers = {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"}
    return PlatformRequest("POST", f"{endpoint.base_url}/chat/completions", headers, json.dumps(body).encode())


def parse_reply(endpoint: Endpoint, response: PlatformResponse) -> PlatformReply:
    """Return the reply. Raises CallFailed for an error, also inside a 200, and for an answer without text."""
    body = endpoint.parse_json(response)
    try:
        choices = body.get("choices")
        if body.get("error") or not choices:
            # Some platforms report errors with status 200, in `error` or in other fields next to `choices`.
            error_fields = {name: value for name, value in body.items() if name != "choices"}
            raise endpoint.build_refusal(200, error_fields, response.headers)
        finish_reason, message = choices[0].get("finish_reason"), choices[0]["message"]
        text, refusal = sanitize_text(message.get("content")), message.get("refusal")
    except (AttributeError, LookupError, TypeError) as error:  # not the shape of a completion
        raise endpoint.build_failure(FailureReason.UNREADABLE, f"not a completion: {body}") from error
    usage = _parse_usage(body.get("usage"))
    reason = classify_finish_reason(finish_reason)
    if reason:
        raise endpoint.build_failure(reason, f"finish_reason {finish_reason}", usage=usage)
    if not text and refusal:
        raise endpoint.build_failure(FailureReason.FILTERED, f"refusal: {refusal}", usage=usage)
    if not text:  # reasoning_content is never scored
        raise endpoint.build_failure(FailureReason.UNREADABLE, "an empty answer", usage=usage)
    return PlatformReply(text, sanitize_text(body.get("model")), usage)


def _parse_usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("completion_tokens_details")
    return Usage(
        prompt_tokens=_parse_count(usage.get("prompt_tokens")),
        completion_tokens=_parse_count(usage.get("completion_tokens")),
        reasoning_tokens=_parse_count(details.get("reasoning_tokens") if isinstance(details, dict) else None),
    )


def _parse_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None
