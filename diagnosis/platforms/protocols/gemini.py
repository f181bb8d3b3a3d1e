"""Gemini's own protocol. Citations are given in bytes of a part of the answer."""

from typing import Any, ClassVar

from diagnosis.choices import FailureReason, PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.errors import classify_finish_reason
from diagnosis.platforms.protocols.base import (
    CallProfile,
    Protocol,
    ReplyBuilder,
    StepRequest,
    Steps,
    build_tool_call_failure,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.json_values import get_count, get_dicts, get_text, get_texts, get_value
from diagnosis.replies import SearchRecord, Usage

_LEVELS = {
    Thinking.OFF: "MINIMAL",
    Thinking.LOW: "LOW",
    Thinking.MEDIUM: "MEDIUM",
    Thinking.ON: "HIGH",
    Thinking.HIGH: "HIGH",
}
_TOOL_ENDINGS = {"UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL"}


class GeminiProtocol(Protocol):
    """generateContent with google_search. The platform decides whether it searches."""

    name: ClassVar[str] = "gemini"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    thinking_values = frozenset(Thinking)
    owned_fields = frozenset({"contents", "tools", "model", "stream"})
    redirect_hosts = frozenset({"vertexaisearch.cloud.google.com"})
    models_keys = ("models", "name")

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": question}]}]}
        config: dict[str, Any] = {}
        if profile.max_answer_tokens:
            config["maxOutputTokens"] = profile.max_answer_tokens
        if profile.thinking in _LEVELS:
            config["thinkingConfig"] = {"thinkingLevel": _LEVELS[profile.thinking]}
        if config:
            body["generationConfig"] = config
        if profile.has_search:
            body["tools"] = [{"google_search": {}}]
        return body

    def build_auth_headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key}

    def run(self, profile: CallProfile, question: str) -> Steps:
        url = build_url(profile.base_url, f"/models/{profile.model.removeprefix('models/')}:generateContent")
        body = check_response(
            (yield StepRequest(url, self.finish_body(profile, self.build_body(profile, question)))), url
        )
        blocked = get_text(body, "promptFeedback", "blockReason")
        if blocked:
            raise CallFailed(FailureReason.FILTERED, f"blockReason {blocked}")
        candidates = get_dicts(body, "candidates")
        if not candidates:
            raise build_unreadable(body, "no candidates")
        finish = get_text(candidates[0], "finishReason")
        is_truncated = _check_finish(finish)
        builder = ReplyBuilder(model=get_text(body, "modelVersion"))
        builder.add_step(body, self.parse_usage(body))
        starts = _read_parts(builder, get_dicts(candidates[0], "content", "parts"))
        metadata = get_value(candidates[0], "groundingMetadata")
        queries = get_texts(metadata, "webSearchQueries")
        if queries:
            builder.add_queries(queries)
        has_supports = _read_grounding(builder, metadata, starts)
        happened = queries or builder.sources.sources
        search = SearchRecord(
            requested=profile.has_search,
            happened=Ternary.YES if happened else Ternary.NO,
            count=len(queries) or None,
            count_basis="queries",
        )
        uncited = Ternary.NO if has_supports else Ternary.UNKNOWN
        return builder.build(search, finish=finish, is_truncated=is_truncated, uncited=uncited)

    def parse_usage(self, body: Any) -> Usage:
        usage = get_value(body, "usageMetadata")
        prompt, tool = get_count(usage, "promptTokenCount"), get_count(usage, "toolUsePromptTokenCount")
        answer, thoughts = get_count(usage, "candidatesTokenCount"), get_count(usage, "thoughtsTokenCount")
        queries = get_texts(body, "candidates", 0, "groundingMetadata", "webSearchQueries")
        # Thoughts are billed as output.
        output = None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0)
        return Usage(
            prompt_tokens=None if prompt is None and tool is None else (prompt or 0) + (tool or 0),
            completion_tokens=output,
            reasoning_tokens=thoughts,
            searches=len(queries),
        )


def _check_finish(finish: str) -> bool:
    """Return whether the answer was truncated. Raises CallFailed for an ending that is not known to be good."""
    reason = classify_finish_reason(finish)
    if reason:
        raise CallFailed(reason, f"finishReason {finish}")
    if finish in _TOOL_ENDINGS:
        raise build_tool_call_failure(finish)
    if finish not in ("STOP", "MAX_TOKENS"):
        raise CallFailed(FailureReason.BUSY, f"finishReason {finish or 'missing'} is not known to be a good ending")
    return finish == "MAX_TOKENS"


def _read_parts(builder: ReplyBuilder, parts: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Add the parts; return (start in the answer, text) by index, with start -1 for thoughts."""
    starts = []
    for part in parts:
        if "functionCall" in part:
            raise build_tool_call_failure(get_text(part, "functionCall", "name"))
        text = get_text(part, "text")
        if part.get("thought"):
            builder.reasoning.append(text)
            starts.append((-1, text))
        else:
            starts.append((builder.text.add(text), text))
    return starts


def _read_grounding(builder: ReplyBuilder, metadata: Any, starts: list[tuple[int, str]]) -> bool:
    """Add sources and citations; return whether the reply says which sources support it."""
    chunks = get_value(metadata, "groundingChunks")
    positions: dict[int, int] = {}
    for index, chunk in enumerate(chunks if isinstance(chunks, list) else []):
        title = get_text(chunk, "web", "title")
        position = builder.sources.add(
            get_text(chunk, "web", "uri"),
            SourceOrigin.RESULT,
            title=title,
            site=get_text(chunk, "web", "domain") or (title if "." in title and " " not in title else ""),
        )
        if position is not None:
            positions[index] = position
    supports = get_dicts(metadata, "groundingSupports")
    for support in supports:
        indices = get_value(support, "groundingChunkIndices")
        numbers = [index for index in indices if isinstance(index, int)] if isinstance(indices, list) else []
        cited = [positions[index] for index in numbers if index in positions]
        builder.sources.cite_positions(cited)
        span = _find_segment(builder, get_value(support, "segment"), starts)
        if span:
            builder.text.cite(*span, cited)
    return bool(supports)


def _find_segment(builder: ReplyBuilder, segment: Any, starts: list[tuple[int, str]]) -> tuple[int, int] | None:
    """Return a segment's place in the answer in code points; its text settles a doubt about its offsets."""
    index = get_count(segment, "partIndex") or 0
    quoted = get_text(segment, "text")
    if index < len(starts) and starts[index][0] >= 0:
        start, text = starts[index]
        encoded = text.encode("utf-8", "replace")
        first, last = get_count(segment, "startIndex") or 0, get_count(segment, "endIndex") or 0
        begin = len(encoded[:first].decode("utf-8", "ignore"))
        end = len(encoded[:last].decode("utf-8", "ignore"))
        if not quoted or text[begin:end] == quoted:
            return start + begin, start + end
    found = builder.text.join().find(quoted) if quoted else -1
    return (found, found + len(quoted)) if found >= 0 else None
