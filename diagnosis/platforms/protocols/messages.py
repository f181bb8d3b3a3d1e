"""The Messages API: Claude, and DeepSeek with its own search tool."""

from typing import Any, ClassVar

from pydantic import Field

from diagnosis.choices import FailureReason, PlatformSurface, SourceOrigin, Ternary, Thinking
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.protocols.base import (
    CallProfile,
    Protocol,
    ReplyBuilder,
    SearchOptions,
    StepRequest,
    Steps,
    build_tool_call_failure,
    build_unfinished,
    build_unreadable,
    build_url,
    check_response,
)
from diagnosis.platforms.protocols.json_values import get_count, get_dicts, get_text, get_texts, get_value
from diagnosis.replies import PlatformReply, SearchRecord, Usage

MAX_CONTINUATIONS = 5
DEFAULT_MAX_TOKENS = 4096
DEFAULT_MAX_TOKENS_WITH_THINKING = 16_000
API_VERSION = "2023-06-01"
_GOOD_ENDINGS = {"end_turn", "stop_sequence"}
_TRUNCATED_ENDINGS = {"max_tokens", "model_context_window_exceeded"}
_EFFORTS = {Thinking.LOW, Thinking.MEDIUM, Thinking.HIGH}
_SEARCH_RESULT_SUFFIX = "search_tool_result"


class ClaudeSearchOptions(SearchOptions):
    """Search options of Claude. max_uses: searches in one answer."""

    max_uses: int = Field(5, ge=1, le=20)


class MessagesProtocol(Protocol):
    """Messages as Claude speaks it. `pause_turn` is continued by sending the content back."""

    name: ClassVar[str] = "messages"
    surfaces = frozenset({PlatformSurface.MEMORY, PlatformSurface.SEARCH})
    options: ClassVar[type[SearchOptions]] = ClaudeSearchOptions
    thinking_values = frozenset(Thinking)
    takes_country = True
    owned_fields = frozenset({"model", "messages", "stream", "tools", "max_tokens", "thinking", "output_config"})
    switched_on: ClassVar[str] = "adaptive"
    # Whether a reply without a search block shows that no search happened.
    shows_every_search: ClassVar[bool] = True

    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        may_think = profile.thinking not in (Thinking.DEFAULT, Thinking.OFF)
        default = DEFAULT_MAX_TOKENS_WITH_THINKING if may_think else DEFAULT_MAX_TOKENS
        body: dict[str, Any] = {
            "model": profile.model,
            "max_tokens": profile.max_answer_tokens or default,
            "messages": [{"role": "user", "content": question}],
        }
        if profile.thinking != Thinking.DEFAULT:
            body["thinking"] = {"type": "disabled" if profile.thinking == Thinking.OFF else self.switched_on}
        if profile.thinking in _EFFORTS:
            body["output_config"] = {"effort": profile.thinking.value}
        if profile.has_search:
            body["tools"] = [self.build_search_tool(profile)]
        return body

    def build_search_tool(self, profile: CallProfile) -> dict[str, Any]:
        """Return the search tool."""
        tool: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"} | self.get_options(
            profile
        ).model_dump()
        if profile.country:
            tool["user_location"] = {"type": "approximate", "country": profile.country}
        return tool

    def build_auth_headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}

    def run(self, profile: CallProfile, question: str) -> Steps:
        url = build_url(profile.base_url, "/messages")
        builder = ReplyBuilder()
        content: list[dict[str, Any]] = []
        body = self.build_body(profile, question)
        first_message = body["messages"]
        for _step in range(1 + MAX_CONTINUATIONS):
            request = StepRequest(url, self.finish_body(profile, body), headers={"anthropic-version": API_VERSION})
            response = check_response((yield request), url)
            if response.get("type") == "error" or not isinstance(response.get("content"), list):
                raise build_unreadable(response, "no content")
            builder.add_step(response, self.parse_usage(response))
            content += get_dicts(response, "content")
            if response.get("stop_reason") != "pause_turn":
                return self._parse_reply(profile, builder, content, response)
            body = body | {"messages": [*first_message, {"role": "assistant", "content": content}]}
        raise build_unfinished(f"the model still paused after {MAX_CONTINUATIONS} continuations")

    def _parse_reply(
        self, profile: CallProfile, builder: ReplyBuilder, content: list[dict[str, Any]], response: dict[str, Any]
    ) -> PlatformReply:
        finish = get_text(response, "stop_reason")
        tool_names = [get_text(block, "name") for block in content if block.get("type") == "tool_use"]
        if finish == "tool_use" or tool_names:
            raise build_tool_call_failure("".join(tool_names[:1]))
        if finish == "refusal":
            raise CallFailed(FailureReason.FILTERED, "stop_reason refusal")
        if finish not in _GOOD_ENDINGS | _TRUNCATED_ENDINGS:
            raise CallFailed(FailureReason.BUSY, f"stop_reason {finish or 'missing'} is not known to be a good ending")
        builder.model = get_text(response, "model")
        parser = ContentParser(builder)
        parser.parse(content)
        search = self._build_search_record(profile, parser)
        uncited = Ternary.NO if parser.has_citations else Ternary.UNKNOWN
        return builder.build(search, finish=finish, is_truncated=finish in _TRUNCATED_ENDINGS, uncited=uncited)

    def _build_search_record(self, profile: CallProfile, parser: "ContentParser") -> SearchRecord:
        billed = parser.builder.usage.searches
        if parser.result_count:
            happened = Ternary.YES
        elif parser.builder.search_errors or billed == 0 or self.shows_every_search or not profile.has_search:
            happened = Ternary.NO
        else:
            happened = Ternary.YES if billed else Ternary.UNKNOWN
        return SearchRecord(
            requested=profile.has_search,
            happened=happened,
            count=parser.result_count if billed is None else billed,
            count_basis="result_blocks" if billed is None else "usage",
            errors=tuple(parser.builder.search_errors),
        )

    def parse_usage(self, body: Any) -> Usage:
        return Usage(
            prompt_tokens=get_count(body, "usage", "input_tokens"),
            completion_tokens=get_count(body, "usage", "output_tokens"),
            searches=get_count(body, "usage", "server_tool_use", "web_search_requests"),
        )


class DeepSeekProtocol(MessagesProtocol):
    """DeepSeek's Messages with its own search tool. The names of its blocks are not documented: any is accepted."""

    name = "deepseek"
    options = SearchOptions
    takes_country = False
    switched_on = "enabled"
    shows_every_search = False

    def build_search_tool(self, profile: CallProfile) -> dict[str, Any]:
        return {"type": "deepseek_web_search", "name": "deepseek_web_search"}


class ContentParser:
    """Reads content blocks. A citation covers its whole text block."""

    def __init__(self, builder: ReplyBuilder) -> None:
        self.builder = builder
        self.result_count = 0
        self.has_citations = False

    def parse(self, content: list[dict[str, Any]]) -> None:
        """Read the blocks: results first, so that a citation finds its result."""
        for block in content:
            kind = get_text(block, "type")
            if kind in ("server_tool_use", "tool_call"):
                self._read_tool_use(block)
            elif kind.endswith(_SEARCH_RESULT_SUFFIX) or kind.endswith(("open_tool_result", "fetch_tool_result")):
                self._read_result(block, is_search=kind.endswith(_SEARCH_RESULT_SUFFIX))
            elif kind == "thinking":
                self.builder.reasoning.append(get_text(block, "thinking"))
        for block in content:
            if block.get("type") == "text":
                self._read_text(block)

    def _read_tool_use(self, block: dict[str, Any]) -> None:
        queries = get_texts(block, "input", "query") + get_texts(block, "input", "queries")
        if queries:
            self.builder.add_queries(queries)

    def _read_result(self, block: dict[str, Any], *, is_search: bool) -> None:
        content = block.get("content")
        error_code = get_text(content, "error_code")
        if error_code:
            self.builder.search_errors.append(error_code[:100])
            return
        self.result_count += is_search
        for result in get_dicts(content) or get_dicts(content, "results"):
            url, title = get_text(result, "url"), get_text(result, "title")
            if is_search:
                published = get_text(result, "page_age") or get_text(result, "date")
                self.builder.sources.add(
                    url, SourceOrigin.RESULT, title=title, published=published, snippet=get_text(result, "snippet")
                )
            elif url:
                self.builder.sources.open(url, title=title)
        url = get_text(content, "url")
        if not is_search and url:
            self.builder.sources.open(url, title=get_text(get_value(content), "title"))

    def _read_text(self, block: dict[str, Any]) -> None:
        text = get_text(block, "text")
        start = self.builder.text.add(text)
        citations = get_dicts(block, "citations")
        positions: list[int] = []
        for citation in citations:
            url = get_text(citation, "url")
            if url:
                positions += self.builder.sources.cite(
                    url, title=get_text(citation, "title"), snippet=get_text(citation, "cited_text")
                )
        if positions:
            self.has_citations = True
            self.builder.text.cite(start, start + len(text), list(dict.fromkeys(positions)))
