"""OpenAI Chat Completions: plain, and with the search of 智谱 and 文心. The tool loop of Kimi is in kimi.py."""

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from diagnosis.choices import FailureReason, PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.errors import classify_finish_reason
from diagnosis.platforms.protocols.base import (
    CallProfile,
    Protocol,
    ReplyBuilder,
    SearchOptions,
    StepRequest,
    Steps,
    build_tool_call_failure,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.json_values import get_count, get_dicts, get_label, get_text, get_value
from diagnosis.replies import PlatformReply, SearchRecord, Usage

_EFFORTS = {Thinking.LOW: "low", Thinking.MEDIUM: "medium", Thinking.HIGH: "high"}
_GOOD_ENDINGS = {"stop", "normal", "end_turn", "stop_sequence"}
_TRUNCATED_ENDINGS = {"length", "max_tokens", "model_context_window_exceeded"}
_TOOL_ENDINGS = {"tool_calls", "function_call"}


def check_finish_reason(finish_reason: Any, tool_name: str = "") -> bool:
    """Return whether an answer was truncated. Raises CallFailed for an ending that is not known to be good."""
    finish = str(finish_reason or "").lower()
    reason = classify_finish_reason(finish)
    if reason:
        raise CallFailed(reason, f"finish_reason {finish_reason}")
    if finish in _TOOL_ENDINGS:
        raise build_tool_call_failure(tool_name)
    if finish not in _GOOD_ENDINGS | _TRUNCATED_ENDINGS:
        raise CallFailed(FailureReason.BUSY, f"finish_reason {finish_reason} is not known to be a good ending")
    return finish in _TRUNCATED_ENDINGS


def get_content_text(content: Any) -> str:
    """Return the text of a message's content: a text, or a list of parts of which the texts count."""
    if isinstance(content, str):
        return content
    parts = get_dicts(content)
    return "".join(get_text(part, "text") for part in parts if part.get("type", "text") in ("text", "output_text"))


class ChatProtocol(Protocol):
    """Chat Completions as every platform speaks it, without search."""

    name: ClassVar[str] = "chat"
    thinking_values = frozenset({Thinking.DEFAULT, *_EFFORTS})
    owned_fields = frozenset({"model", "messages", "stream", "seed", "n", "reasoning_effort", "max_tokens"})
    uncited: ClassVar[Ternary] = Ternary.UNKNOWN

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": profile.model, "messages": [{"role": "user", "content": question}]}
        if profile.max_answer_tokens:
            body["max_tokens"] = profile.max_answer_tokens
        return body | self.build_thinking(profile.thinking)

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        """Return the fields that control reasoning."""
        return {"reasoning_effort": _EFFORTS[thinking]} if thinking in _EFFORTS else {}

    def run(self, profile: CallProfile, question: str) -> Steps:
        url = build_url(profile.base_url, "/chat/completions")
        response = yield StepRequest(url, self.finish_body(profile, self.build_body(profile, question)))
        body = check_response(response, url)
        builder = ReplyBuilder()
        builder.add_step(body, self.parse_usage(body))
        return self.parse_reply(profile, builder, body)

    def parse_reply(self, profile: CallProfile, builder: ReplyBuilder, body: dict[str, Any]) -> PlatformReply:
        """Return the reply in the last response."""
        message, finish = self.parse_choice(builder, body)
        is_truncated = check_finish_reason(finish, get_text(message, "tool_calls", 0, "function", "name"))
        search = self.parse_search(profile, builder, body)
        return builder.build(
            search,
            finish=finish,
            is_truncated=is_truncated,
            refusal=get_text(message, "refusal"),
            uncited=self.uncited if search.happened == Ternary.YES else Ternary.UNKNOWN,
        )

    def parse_choice(self, builder: ReplyBuilder, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Add text and reasoning of the first choice; return its message and its finish reason."""
        choices = get_dicts(body, "choices")
        if not choices or not isinstance(choices[0].get("message"), dict):
            raise build_unreadable(body, "no choices")
        message: dict[str, Any] = choices[0]["message"]
        builder.model = get_text(body, "model")
        builder.reasoning += [get_text(message, "reasoning_content"), get_text(message, "reasoning")]
        builder.text.add(get_content_text(message.get("content")))
        return message, get_text(choices[0], "finish_reason")

    def parse_search(self, profile: CallProfile, builder: ReplyBuilder, body: dict[str, Any]) -> SearchRecord:
        """Add the sources of a response and return what is known of its search."""
        return SearchRecord()

    def parse_usage(self, body: Any) -> Usage:
        return Usage(
            prompt_tokens=get_count(body, "usage", "prompt_tokens"),
            completion_tokens=get_count(body, "usage", "completion_tokens"),
            reasoning_tokens=get_count(body, "usage", "completion_tokens_details", "reasoning_tokens"),
        )


class ZhipuSearchOptions(SearchOptions):
    """Search options of 智谱."""

    search_engine: Literal["search_std", "search_pro", "search_pro_sogou", "search_pro_quark"] = "search_pro"
    count: int = Field(10, ge=1, le=50)
    content_size: Literal["low", "medium", "high"] = "medium"
    search_intent: bool = False


class ZhipuProtocol(ChatProtocol):
    """智谱: a web_search tool in the request, results at the top level of the response."""

    name = "zhipu"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    options = ZhipuSearchOptions
    thinking_values = frozenset(Thinking)
    owned_fields = ChatProtocol.owned_fields | {"tools", "thinking"}
    _mark = re.compile(r"\[ref_\d+\]|【\d+】")

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body = super().build_body(profile, question) | {"stream": False}
        if profile.has_search:
            tool = self.get_options(profile).model_dump() | {"enable": True, "search_result": True}
            body["tools"] = [{"type": "web_search", "web_search": tool}]
        return body

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        if thinking == Thinking.DEFAULT:
            return {}
        switch = {"thinking": {"type": "disabled" if thinking == Thinking.OFF else "enabled"}}
        return switch | super().build_thinking(thinking)

    def parse_search(self, profile: CallProfile, builder: ReplyBuilder, body: dict[str, Any]) -> SearchRecord:
        results = get_dicts(body, "web_search")
        positions = [
            builder.sources.add(
                get_text(result, "link") or get_text(result, "url"),
                SourceOrigin.RESULT,
                label=get_label(result, "refer").removeprefix("ref_"),
                title=get_text(result, "title"),
                site=get_text(result, "media"),
                published=get_text(result, "publish_date"),
                snippet=get_text(result, "content"),
            )
            for result in results
        ]
        known = [position for position in positions if position is not None]
        builder.sources.cite_marks(builder.text, self._mark, re.compile(r"\d+"), known)
        if results:
            happened = Ternary.YES
        else:  # an empty list says that nothing was found; without a list nothing is known
            happened = Ternary.NO if "web_search" in body or not profile.has_search else Ternary.UNKNOWN
        return SearchRecord(
            requested=profile.has_search,
            forced=profile.has_search and not self.get_options(profile).search_intent,
            happened=happened,
        )

    def parse_usage(self, body: Any) -> Usage:
        # One search a call; the list counts results.
        listed = get_value(body, "web_search")
        return super().parse_usage(body) + Usage(searches=None if listed is None else int(bool(listed)))


class QianfanSearchOptions(SearchOptions):
    """Search options of 文心."""

    search_mode: Literal["auto", "required"] = "auto"
    search_number: int = Field(10, ge=1, le=50)
    reference_number: int = Field(10, ge=1, le=50)


class QianfanProtocol(ChatProtocol):
    """文心 (Qianfan v2): web_search in the request, search_results and ^[1]^ in the response."""

    name = "qianfan"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    options = QianfanSearchOptions
    owned_fields = ChatProtocol.owned_fields | {"web_search"}
    uncited = Ternary.NO
    _mark = re.compile(r"\^(?:\[\d+\])+\^")

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body = super().build_body(profile, question)
        if profile.has_search:
            switches = {"enable": True, "enable_trace": True, "enable_citation": True}
            body["web_search"] = switches | self.get_options(profile).model_dump()
        return body

    def parse_search(self, profile: CallProfile, builder: ReplyBuilder, body: dict[str, Any]) -> SearchRecord:
        listed = body.get("search_results")
        results = get_dicts(listed) or get_dicts(body, "choices", 0, "message", "search_results")
        positions = [
            builder.sources.add(
                get_text(result, "url"),
                SourceOrigin.RESULT,
                label=get_label(result, "index"),
                title=get_text(result, "title"),
                site=get_text(result, "site_name") or get_text(result, "site"),
                published=get_text(result, "date") or get_text(result, "publish_time"),
                snippet=get_text(result, "content") or get_text(result, "snippet"),
            )
            for result in results
        ]
        known = [position for position in positions if position is not None]
        builder.sources.cite_marks(builder.text, self._mark, re.compile(r"\d+"), known)
        return SearchRecord(
            requested=profile.has_search,
            forced=profile.has_search and self.get_options(profile).search_mode == "required",
            happened=Ternary.YES if results else Ternary.NO,
        )

    def parse_usage(self, body: Any) -> Usage:
        has_results = get_dicts(body, "search_results") or get_value(body, "choices", 0, "message", "search_results")
        return super().parse_usage(body) + Usage(searches=int(bool(has_results)))
