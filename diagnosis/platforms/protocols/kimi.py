"""Kimi: Chat Completions with a loop of search calls that the client carries out.

`formula` asks the platform for its search tool and runs it there; `builtin` is the older $web_search, whose arguments
go back unchanged.
"""

import json
import re
from typing import Any, ClassVar, Literal

from diagnosis.choices import PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.platforms.protocols.base import (
    CallProfile,
    ReplyBuilder,
    SearchOptions,
    StepKind,
    StepRequest,
    Steps,
    build_tool_call_failure,
    build_unfinished,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.chat import ChatProtocol
from diagnosis.platforms.protocols.json_values import get_dicts, get_text, get_texts, get_value, iter_dicts
from diagnosis.replies import SearchRecord, Usage

MAX_STEPS = 6  # calls of the model in one loop
BUILTIN_TOOL = "$web_search"
_FORMULA_PATH = "/formulas/moonshot/web-search:latest"
_QUERY_FIELDS = ("query", "queries", "search_query", "keyword", "keywords", "q")
_URL = re.compile(r"https?://[^\s<>()\[\]{}\"'`，。；、！？（）【】《》「」“”|]+")


class KimiSearchOptions(SearchOptions):
    """Search options of Kimi."""

    tool: Literal["formula", "builtin"] = "formula"


class KimiProtocol(ChatProtocol):
    """Kimi with its search tool."""

    name: ClassVar[str] = "kimi"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    options = KimiSearchOptions
    thinking_values = frozenset(Thinking)
    owned_fields = ChatProtocol.owned_fields | {"tools", "thinking", "tool_choice"}

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        body = super().build_body(profile, question)
        if profile.has_search and self.get_options(profile).tool == "builtin":
            body["tools"] = [{"type": "builtin_function", "function": {"name": BUILTIN_TOOL}}]
            body["thinking"] = {"type": "disabled"}  # the tool is refused otherwise
        return body

    def build_thinking(self, thinking: Thinking) -> dict[str, Any]:
        if thinking == Thinking.DEFAULT:
            return {}
        switch = {"thinking": {"type": "disabled" if thinking == Thinking.OFF else "enabled"}}
        return switch | super().build_thinking(thinking)

    def run(self, profile: CallProfile, question: str) -> Steps:
        builder = ReplyBuilder()
        body = self.build_body(profile, question)
        uses_formula = profile.has_search and self.get_options(profile).tool == "formula"
        if uses_formula:
            body["tools"] = yield from self._get_formula_tools(profile.base_url)
        url = build_url(profile.base_url, "/chat/completions")
        for _step in range(MAX_STEPS):
            response = check_response((yield StepRequest(url, self.finish_body(profile, body))), url)
            builder.add_step(response, self.parse_usage(response))
            calls = self._get_tool_calls(profile, response)
            if not calls:
                return self.parse_reply(profile, builder, response)
            messages = [*body["messages"], response["choices"][0]["message"]]
            for call in calls:
                messages.append((yield from self._run_tool(profile, builder, call, uses_formula)))
            body = body | {"messages": messages}
        raise build_unfinished(f"the model still searched after {MAX_STEPS} steps")

    def _get_formula_tools(self, base_url: str) -> Any:
        url = build_url(base_url, f"{_FORMULA_PATH}/tools")
        listed = check_response((yield StepRequest(url, None, StepKind.SETUP)), url)
        tools = get_dicts(listed, "tools")
        if not tools:
            raise build_unreadable(listed, "no tools")
        return tools

    def _get_tool_calls(self, profile: CallProfile, response: dict[str, Any]) -> list[dict[str, Any]]:
        choice = (get_dicts(response, "choices") or [{}])[0]
        if get_text(choice, "finish_reason") not in ("tool_calls", "function_call"):
            return []
        calls = get_dicts(choice, "message", "tool_calls")
        if not calls or not profile.has_search:
            raise build_tool_call_failure(get_text(choice, "message", "tool_calls", 0, "function", "name"))
        return calls

    def _run_tool(self, profile: CallProfile, builder: ReplyBuilder, call: dict[str, Any], uses_formula: bool) -> Any:
        """Carry out a tool call and return the message with its result."""
        name, arguments = get_text(call, "function", "name"), get_text(call, "function", "arguments")
        builder.add_queries(_parse_queries(arguments))
        if uses_formula:
            url = build_url(profile.base_url, f"{_FORMULA_PATH}/fibers")
            request = StepRequest(url, {"name": name, "arguments": arguments}, StepKind.TOOL)
            response = yield request
            # A search that failed is told in the body of a 200, and the model goes on without it.
            is_result = response.status == 200 and isinstance(get_value(response.body, "context"), dict)
            fiber = response.body if is_result else check_response(response, url)
            builder.add_step(fiber, self.parse_usage(fiber))
            result = self._read_fiber(builder, fiber)
        else:
            result = arguments
        return {"role": "tool", "tool_call_id": get_text(call, "id"), "name": name, "content": result}

    def _read_fiber(self, builder: ReplyBuilder, fiber: dict[str, Any]) -> str:
        """Return the content for the model, and add the sources if it can be read."""
        output, encrypted = get_text(fiber, "context", "output"), get_text(fiber, "context", "encrypted_output")
        error = get_text(fiber, "error") or get_text(fiber, "context", "error")
        if not output and not encrypted:
            builder.search_errors.append(error[:200] or f"status {get_text(fiber, 'status') or 'unknown'}")
            return error or "search failed"
        for result in _parse_results(output):
            builder.sources.add(
                result["url"],
                SourceOrigin.RESULT,
                title=get_text(result, "title"),
                site=get_text(result, "site") or get_text(result, "site_name"),
                published=get_text(result, "date") or get_text(result, "published"),
                snippet=get_text(result, "snippet") or get_text(result, "summary") or get_text(result, "content"),
            )
        return output or encrypted

    def parse_search(self, profile: CallProfile, builder: ReplyBuilder, body: dict[str, Any]) -> SearchRecord:
        """Kimi cites nothing by itself: an address in the text is what the model says that it read."""
        count = 0 if builder.queries is None else max(builder.usage.searches or 0, 1)
        raw = builder.text.join()
        for match in _URL.finditer(raw) if count else ():
            url = match.group().rstrip(".,;:!?*_~")
            if builder.sources.find(url):
                builder.text.cite(match.start(), match.start() + len(url), builder.sources.cite(url))
            else:
                builder.sources.add(url, SourceOrigin.SELF_REPORTED)
        return SearchRecord(
            requested=profile.has_search,
            happened=Ternary.YES if count > len(builder.search_errors) else Ternary.NO,
            count=count,
            count_basis="tool_calls",
            errors=tuple(builder.search_errors),
        )

    def parse_usage(self, body: Any) -> Usage:
        calls = get_dicts(body, "choices", 0, "message", "tool_calls")
        is_builtin = any(get_text(call, "function", "name") == BUILTIN_TOOL for call in calls)
        is_fiber = isinstance(body, dict) and "choices" not in body
        return super().parse_usage(body) + Usage(searches=int(is_builtin or is_fiber))


def _parse_queries(arguments: str) -> list[str]:
    try:
        values = json.loads(arguments)
    except (ValueError, RecursionError):
        return []
    found: list[str] = []
    for item in iter_dicts(values):
        for name in _QUERY_FIELDS:
            found += get_texts(item, name)
    return list(dict.fromkeys(found))


def _parse_results(output: str) -> list[dict[str, Any]]:
    """Return the results in a tool's output that can be read, each with `url`: JSON, else addresses in the text."""
    try:
        values = json.loads(output)
    except (ValueError, RecursionError):
        return [{"url": match.group().rstrip(".,;:!?*_~")} for match in _URL.finditer(output)]
    items = [(item, get_text(item, "url") or get_text(item, "link")) for item in iter_dicts(values)]
    return [{**item, "url": url} for item, url in items if url]
