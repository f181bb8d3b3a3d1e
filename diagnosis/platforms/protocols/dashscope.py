"""DashScope's own protocol (通义千问): its Chat Completions return no sources."""

import re
from typing import Any, ClassVar, Literal

from diagnosis.choices import PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.platforms.protocols.base import (
    CallProfile,
    Protocol,
    ReplyBuilder,
    SearchOptions,
    StepRequest,
    Steps,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.chat import check_finish_reason, get_content_text
from diagnosis.platforms.protocols.json_values import get_count, get_dicts, get_label, get_text, get_value
from diagnosis.replies import SearchRecord, Usage

_MARK = re.compile(r"\[\d{1,3}\]|\[ref_\d{1,3}\]")
_EFFORTS = (Thinking.LOW, Thinking.MEDIUM, Thinking.HIGH)


class DashScopeSearchOptions(SearchOptions):
    """Search options of 通义千问."""

    search_strategy: Literal["turbo", "max", "agent"] = "max"
    forced_search: bool = True
    enable_citation: bool = True


class DashScopeProtocol(Protocol):
    """Text generation with `enable_search`."""

    name: ClassVar[str] = "dashscope"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    options = DashScopeSearchOptions
    thinking_values = frozenset(Thinking)
    owned_fields = frozenset({"model", "input", "stream"})
    models_path = ""
    path: ClassVar[str] = "/services/aigc/text-generation/generation"

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        parameters: dict[str, Any] = {"result_format": "message"}
        if profile.max_answer_tokens:
            parameters["max_tokens"] = profile.max_answer_tokens
        if profile.thinking != Thinking.DEFAULT:
            parameters["enable_thinking"] = profile.thinking != Thinking.OFF
        if profile.thinking in _EFFORTS:
            parameters["reasoning_effort"] = profile.thinking.value
        if profile.has_search:
            options = self.get_options(profile).model_dump() | {"enable_source": True}
            parameters |= {"enable_search": True, "search_options": options | {"citation_format": "[<number>]"}}
        message = {"role": "user", "content": question}
        return {"model": profile.model, "input": {"messages": [message]}, "parameters": parameters}

    def run(self, profile: CallProfile, question: str) -> Steps:
        url = build_url(profile.base_url, self.path)
        body = check_response(
            (yield StepRequest(url, self.finish_body(profile, self.build_body(profile, question)))), url
        )
        output = get_value(body, "output")
        choice = (get_dicts(output, "choices") or [{}])[0]
        message = get_value(choice, "message") or {}
        text = get_content_text(message.get("content")) if isinstance(message, dict) else ""
        if not isinstance(output, dict) or (not choice and not get_text(output, "text")):
            raise build_unreadable(body, "no output")
        finish = get_text(choice, "finish_reason") or get_text(output, "finish_reason")
        is_truncated = check_finish_reason(finish, get_text(message, "tool_calls", 0, "function", "name"))
        builder = ReplyBuilder(model=get_text(body, "model") or get_text(output, "model"))
        builder.add_step(body, self.parse_usage(body))
        builder.reasoning.append(get_text(message, "reasoning_content"))
        builder.text.add(text or get_text(output, "text"))
        search, has_marks = self._parse_search(profile, builder, output)
        uncited = Ternary.NO if has_marks else Ternary.UNKNOWN
        return builder.build(search, finish=finish, is_truncated=is_truncated, uncited=uncited)

    def _parse_search(
        self, profile: CallProfile, builder: ReplyBuilder, output: dict[str, Any]
    ) -> tuple[SearchRecord, bool]:
        results = get_dicts(output, "search_info", "search_results")
        positions = [
            builder.sources.add(
                get_text(result, "url"),
                SourceOrigin.RESULT,
                label=get_label(result, "index"),
                title=get_text(result, "title"),
                site=get_text(result, "site_name"),
            )
            for result in results
        ]
        known = [position for position in positions if position is not None]
        marks = builder.sources.cite_marks(builder.text, _MARK, re.compile(r"\d+"), known)
        searches = builder.usage.searches
        record = SearchRecord(
            requested=profile.has_search,
            forced=profile.has_search and self.get_options(profile).forced_search,
            happened=Ternary.YES if results or searches else Ternary.NO,
            count=searches,
            count_basis="" if searches is None else "usage",
        )
        return record, marks > 0

    def parse_usage(self, body: Any) -> Usage:
        searches = get_count(body, "usage", "plugins", "search", "count")
        if searches is None and not get_dicts(body, "output", "search_info", "search_results"):
            searches = 0  # above its rate the platform skips the search silently
        return Usage(
            prompt_tokens=get_count(body, "usage", "input_tokens"),
            completion_tokens=get_count(body, "usage", "output_tokens"),
            reasoning_tokens=get_count(body, "usage", "output_tokens_details", "reasoning_tokens"),
            searches=searches,
        )


class DashScopeMultimodalProtocol(DashScopeProtocol):
    """The same for multimodal models, whose content is a list of parts."""

    name = "dashscope_multimodal"
    path = "/services/aigc/multimodal-generation/generation"

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body = super().build_body(profile, question)
        message = {"role": "user", "content": [{"text": question}]}
        return body | {"input": {"messages": [message]}}
