"""The Responses API: OpenAI, 豆包 (Ark, with web_search or the app's own search), 腾讯混元 (TokenHub), Perplexity."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import Field

from diagnosis.choices import FailureReason, PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.protocols.base import (
    CallProfile,
    Protocol,
    ReplyBuilder,
    SearchOptions,
    StepRequest,
    StepResponse,
    Steps,
    build_refusal,
    build_tool_call_failure,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.json_values import get_count, get_dicts, get_label, get_text, get_texts, get_value
from diagnosis.replies import SearchRecord, Usage

_EFFORTS = {Thinking.OFF: "none", Thinking.LOW: "low", Thinking.MEDIUM: "medium", Thinking.HIGH: "high"}
_TRUNCATED_REASONS = {"max_output_tokens", "max_tokens", "length"}
_FAILED_SEARCH = {"failed", "error", "cancelled", "incomplete"}
_TOOL_CALLS = {"function_call", "custom_tool_call", "mcp_approval_request", "computer_call", "local_shell_call"}


class ResponsesProtocol(Protocol):
    """Responses as OpenAI speaks it."""

    name: ClassVar[str] = "responses"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    thinking_values = frozenset(Thinking)
    takes_country = True
    owned_fields = frozenset(
        {"model", "input", "stream", "tools", "tool_choice", "include", "reasoning", "max_output_tokens", "background"}
    )
    is_forced: ClassVar[bool] = True
    # Whether a reply without any search item shows that no search happened.
    shows_every_search: ClassVar[bool] = True
    path: ClassVar[str] = "/responses"

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": profile.model, "input": question}
        if profile.max_answer_tokens:
            body["max_output_tokens"] = profile.max_answer_tokens
        body |= self.build_thinking(profile.thinking)
        return body | (self.build_search(profile) if profile.has_search else {})

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        """Return the fields that control reasoning."""
        if thinking == Thinking.ON:
            return {"reasoning": {"effort": "medium"}}
        return {"reasoning": {"effort": _EFFORTS[thinking]}} if thinking in _EFFORTS else {}

    def build_search(self, profile: CallProfile) -> dict[str, Any]:
        """Return the fields that ask for a search."""
        # Without any location OpenAI would assume the United States; one without a country means none.
        location = {"type": "approximate"} | ({"country": profile.country} if profile.country else {})
        return {
            "tools": [{"type": "web_search", "user_location": location}],
            "tool_choice": "required",
            "include": ["web_search_call.action.sources"],
        }

    def build_headers(self, profile: CallProfile) -> dict[str, str]:
        """Return the headers that the request needs beside its key."""
        return {}

    def run(self, profile: CallProfile, question: str) -> Steps:
        url = build_url(profile.base_url, self.path)
        body = self.finish_body(profile, self.build_body(profile, question))
        response = check_response((yield StepRequest(url, body, headers=self.build_headers(profile))), url)
        items = get_dicts(response, "output")
        finish, is_truncated = self._check_status(response, items)
        builder = ReplyBuilder(model=get_text(response, "model"))
        builder.add_step(response, self.parse_usage(response))
        parser = OutputParser(builder)
        parser.parse(items)
        search = self.build_search_record(profile, parser, response)
        uncited = Ternary.NO if parser.has_annotations else Ternary.UNKNOWN
        return builder.build(search, finish=finish, is_truncated=is_truncated, refusal=parser.refusal, uncited=uncited)

    def _check_status(self, response: dict[str, Any], items: list[dict[str, Any]]) -> tuple[str, bool]:
        """Return the ending and whether the answer was truncated. Raises CallFailed for any other ending."""
        status = get_text(response, "status")
        if not items and not status:
            raise build_unreadable(response, "no output")
        for item in items:
            if get_text(item, "type") in _TOOL_CALLS:
                raise build_tool_call_failure(get_text(item, "name") or get_text(item, "type"))
        if status == "completed":
            return status, False
        reason = get_text(response, "incomplete_details", "reason")
        if status == "incomplete" and reason in _TRUNCATED_REASONS:
            return reason, True
        if status == "incomplete" and "filter" in reason:
            raise CallFailed(FailureReason.FILTERED, f"incomplete: {reason}")
        error = get_value(response, "error")
        if status == "failed" and isinstance(error, dict):
            raise build_refusal(StepResponse(200, {"error": error}), "")
        raise CallFailed(FailureReason.BUSY, f"status {status or 'missing'} {reason} is not known to be a good ending")

    def build_search_record(
        self, profile: CallProfile, parser: "OutputParser", response: dict[str, Any]
    ) -> SearchRecord:
        """Return what is known of the search."""
        errors = parser.builder.search_errors
        billed = self.parse_usage(response).searches
        if parser.search_count or parser.has_results:
            happened = Ternary.YES
        elif errors or self.shows_every_search or billed == 0 or not profile.has_search:
            happened = Ternary.NO
        else:
            happened = Ternary.YES if billed else Ternary.UNKNOWN
        return SearchRecord(
            requested=profile.has_search,
            forced=profile.has_search and self.is_forced,
            happened=happened,
            count=parser.search_count,
            count_basis="search_calls",
            errors=tuple(errors),
        )

    def parse_usage(self, body: Any) -> Usage:
        usage = get_value(body, "usage")
        return Usage(
            prompt_tokens=get_count(usage, "input_tokens"),
            completion_tokens=get_count(usage, "output_tokens"),
            reasoning_tokens=get_count(usage, "output_tokens_details", "reasoning_tokens"),
            searches=self.parse_searches(body, usage),
        )

    def parse_searches(self, body: Any, usage: Any) -> int | None:
        """Return how many searches are billed."""
        billed = get_count(body, "tool_usage", "web_search", "num_requests")
        if billed is None:
            billed = get_count(usage, "tool_usage", "web_search", "num_requests")
        return billed if billed is not None else _count_searches(body)


def _count_searches(body: Any) -> int:
    items = [item for item in get_dicts(body, "output") if item.get("type") == "web_search_call"]
    return sum(map(_is_search_done, items))


def _is_search_done(item: dict[str, Any]) -> bool:
    kind = get_text(item, "action", "type") or "search"
    return kind == "search" and get_text(item, "status") not in _FAILED_SEARCH


class ArkSearchOptions(SearchOptions):
    """Search options of 豆包: of web_search, and the feature of the app's own search."""

    limit: int = Field(10, ge=1, le=50)
    max_keyword: int = Field(3, ge=1, le=50)
    max_tool_calls: int = Field(3, ge=1, le=10)
    sources: list[Literal["toutiao", "douyin", "moji", "search_engine"]] = []
    feature: Literal["chat", "deep_chat", "ai_search", "reasoning_search"] = "ai_search"


class ArkProtocol(ResponsesProtocol):
    """豆包 on Ark. The surface `search` is the web_search tool, `app` what the app itself answers: two products."""

    name = "ark"
    surfaces = frozenset(PlatformSurface)
    options = ArkSearchOptions
    takes_country = False
    owned_fields = ResponsesProtocol.owned_fields | {"thinking", "max_tool_calls"}

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        if thinking == Thinking.DEFAULT:
            return {}
        switch: dict[str, Any] = {"thinking": {"type": "disabled" if thinking == Thinking.OFF else "enabled"}}
        has_effort = thinking in (Thinking.LOW, Thinking.MEDIUM, Thinking.HIGH)
        return switch | ({"reasoning": {"effort": thinking.value}} if has_effort else {})

    def build_search(self, profile: CallProfile) -> dict[str, Any]:
        options: ArkSearchOptions = self.get_options(profile)
        if profile.surface == PlatformSurface.APP:
            return {"tools": [{"type": "doubao_app", "feature": {options.feature: {"type": "enabled"}}}]}
        tool: dict[str, Any] = {"type": "web_search", "limit": options.limit, "max_keyword": options.max_keyword}
        if options.sources:
            tool["sources"] = options.sources
        return {
            "tools": [tool],
            "tool_choice": {"type": "web_search"},
            "max_tool_calls": options.max_tool_calls,
        }

    def build_headers(self, profile: CallProfile) -> dict[str, str]:
        if not profile.has_search:
            return {}
        return {"ark-beta-doubao-app" if profile.surface == PlatformSurface.APP else "ark-beta-web-search": "true"}

    def build_search_record(
        self, profile: CallProfile, parser: "OutputParser", response: dict[str, Any]
    ) -> SearchRecord:
        record = super().build_search_record(profile, parser, response)
        if profile.surface != PlatformSurface.APP:
            return record
        return SearchRecord(
            requested=True, happened=record.happened, count=record.count, count_basis="blocks", errors=record.errors
        )

    def parse_searches(self, body: Any, usage: Any) -> int | None:
        billed = get_count(usage, "tool_usage", "web_search")
        return billed if billed is not None else _count_searches(body)


class TokenHubProtocol(ResponsesProtocol):
    """腾讯混元 on TokenHub. Reasoning is on unless the effort is sent."""

    name = "tokenhub"
    takes_country = False
    is_forced = False
    shows_every_search = False

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        return super().build_thinking(Thinking.OFF if thinking == Thinking.DEFAULT else thinking)

    def build_search(self, profile: CallProfile) -> dict[str, Any]:
        return {"tools": [{"type": "web_search"}]}

    def parse_searches(self, body: Any, usage: Any) -> int | None:
        for name in ("web_search_call", "web_search"):
            billed = get_count(usage, "tool_usage", name)
            if billed is not None:
                return billed
        return _count_searches(body) or None


class PerplexityProtocol(ResponsesProtocol):
    """Perplexity's Agent API."""

    name = "perplexity"
    thinking_values = frozenset({Thinking.DEFAULT, Thinking.LOW, Thinking.MEDIUM, Thinking.HIGH})
    takes_country = False
    is_forced = False
    path = "/agent"
    models_path = ""

    def build_search(self, profile: CallProfile) -> dict[str, Any]:
        return {"tools": [{"type": "web_search"}]}

    def parse_usage(self, body: Any) -> Usage:
        cost = get_value(body, "usage", "cost", "total_cost")
        usage = super().parse_usage(body)
        has_cost = isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0
        return usage + Usage(cost=Decimal(str(cost)) if has_cost else None)

    def parse_searches(self, body: Any, usage: Any) -> int | None:
        details = get_value(usage, "tool_calls_details")
        counts = [
            get_count(value, "invocation")
            for name, value in (details.items() if isinstance(details, dict) else ())
            if "search" in str(name)
        ]
        known = [count for count in counts if count is not None]
        results = [item for item in get_dicts(body, "output") if item.get("type") == "search_results"]
        return sum(known) if known else len(results)


class OutputParser:
    """Reads the items of `output` of every vendor; unknown kinds are skipped."""

    _mark = re.compile(r"\[\d{1,3}\](?:\[\d{1,3}\])*")

    def __init__(self, builder: ReplyBuilder) -> None:
        self.builder = builder
        self.refusal = ""
        self.search_count = 0
        self.has_results = False
        self.has_annotations = False
        self._readers: dict[str, Callable[[dict[str, Any]], None]] = {
            "message": self._read_message,
            "web_search_call": self._read_search_call,
            "search_results": self._read_search_results,
            "fetch_url_results": self._read_fetched_pages,
            "doubao_app_call": self._read_app_call,
            "reasoning": self._read_reasoning,
        }

    def parse(self, items: list[dict[str, Any]]) -> None:
        """Read the items: searches first, so that a citation finds its result in any order."""
        readers = [(self._readers.get(get_text(item, "type")), item) for item in items]
        for is_message in (False, True):
            for reader, item in readers:
                if reader is not None and (item.get("type") == "message") == is_message:
                    reader(item)

    def _read_reasoning(self, item: dict[str, Any]) -> None:
        parts = get_dicts(item, "summary") + get_dicts(item, "content")
        self.builder.reasoning += [get_text(part, "text") for part in parts]

    def _read_search_call(self, item: dict[str, Any]) -> None:
        action = get_value(item, "action")
        kind = get_text(action, "type") or "search"
        if get_text(item, "status") in _FAILED_SEARCH:
            error = get_text(item, "error", "message") or get_text(item, "error")
            self.builder.search_errors.append(f"{kind} {get_text(item, 'status')}: {error}"[:200].rstrip(": "))
        elif kind == "search":
            self.search_count += 1
            self.builder.add_queries(get_texts(action, "queries") or get_texts(action, "query"))
            for source in get_dicts(action, "sources"):
                self.builder.sources.add(get_text(source, "url"), SourceOrigin.RESULT, title=get_text(source, "title"))
        elif kind == "open_page":
            self.builder.sources.open(get_text(action, "url"))

    def _read_search_results(self, item: dict[str, Any]) -> None:
        self.search_count += 1
        self.has_results = True
        self.builder.add_queries(get_texts(item, "queries"))
        for result in get_dicts(item, "results"):
            self.builder.sources.add(
                get_text(result, "url"),
                SourceOrigin.RESULT,
                label=get_label(result, "id"),
                title=get_text(result, "title"),
                site=get_text(result, "source"),
                published=get_text(result, "date"),
                snippet=get_text(result, "snippet"),
            )

    def _read_fetched_pages(self, item: dict[str, Any]) -> None:
        for page in get_dicts(item, "contents") + get_dicts(item, "results"):
            self.builder.sources.open(
                get_text(page, "url"), title=get_text(page, "title"), snippet=get_text(page, "snippet")
            )

    def _read_app_call(self, item: dict[str, Any]) -> None:
        """豆包's app: blocks of text, reasoning and searches. [n] counts the results of all blocks."""
        positions: list[int] = []
        text = self.builder.text
        for block in get_dicts(item, "blocks"):
            kind = get_text(block, "type")
            if kind in ("search", "reasoning_search"):
                self.search_count += 1
                self.builder.add_queries(get_texts(block, "queries"))
                positions += self._read_app_results(block)
            elif kind == "output_text":
                text.add(get_text(block, "text") or get_text(block, "output_text"))
            elif kind == "reasoning_text":
                self.builder.reasoning.append(get_text(block, "text") or get_text(block, "reasoning_text"))
        if positions:
            self.has_annotations = bool(
                self.builder.sources.cite_marks(text, self._mark, re.compile(r"\d+"), positions)
            )

    def _read_app_results(self, block: dict[str, Any]) -> list[int]:
        added = []
        for result in get_dicts(block, "results"):
            card = get_value(result, "text_card") or result
            added.append(
                self.builder.sources.add(
                    get_text(card, "url"),
                    SourceOrigin.RESULT,
                    title=get_text(card, "title"),
                    site=get_text(card, "sitename"),
                    published=get_text(card, "publish_time") or get_label(card, "publish_time_second"),
                    snippet=get_text(card, "summary"),
                )
            )
        return [position for position in added if position is not None]

    def _read_message(self, item: dict[str, Any]) -> None:
        text = self.builder.text
        if text.length:
            text.add("\n")
        for part in get_dicts(item, "content"):
            if part.get("type") == "refusal":
                self.refusal = get_text(part, "refusal")
            elif part.get("type") in ("output_text", "text"):
                start = text.add(get_text(part, "text"))
                self._read_annotations(part, start)

    def _read_annotations(self, part: dict[str, Any], start: int) -> None:
        self.has_annotations |= isinstance(part.get("annotations"), list)
        for annotation in get_dicts(part, "annotations"):
            if annotation.get("type", "url_citation") not in ("url_citation", "citation"):
                continue
            nested = annotation.get("url_citation")
            citation = nested if isinstance(nested, dict) else annotation
            positions = self.builder.sources.cite(
                get_text(citation, "url"),
                title=get_text(citation, "title"),
                site=get_text(citation, "site_name"),
                published=get_text(citation, "publish_time"),
                snippet=get_text(citation, "summary"),
            )
            first, last = get_count(citation, "start_index"), get_count(citation, "end_index")
            if first is not None and last is not None:
                self.builder.text.cite(start + first, start + last, positions)
