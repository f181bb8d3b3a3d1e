"""The interface of a wire protocol: build requests, parse replies. Nothing here reads the network or the database.

A call is a generator of steps. It yields a `StepRequest`, receives the `StepResponse`, and returns a `PlatformReply` or
raises `CallFailed`. Most protocols need one step; a loop of tool calls needs more. The generator depends on the
responses alone, so that a failed step is repeated by replaying the earlier responses, which are not paid for again.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from diagnosis.choices import FailureReason, PlatformSurface, Ternary, Thinking
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.errors import ErrorResponse, classify_error_response, get_platform_wait_seconds
from diagnosis.platforms.protocols.sources import SourceCollector
from diagnosis.platforms.protocols.text import RawText, clean_answer_text, remove_unstorable_characters
from diagnosis.replies import (
    MAX_QUERIES,
    PlatformReply,
    SearchRecord,
    Usage,
)

MAX_BODY_DETAIL_CHARACTERS = 2000
MAX_MODEL_CHARACTERS = 128
MAX_QUERY_CHARACTERS = 300
MAX_REASONING_CHARACTERS = 20_000


class StepKind(StrEnum):
    """What a step buys. SETUP: nothing; its response is the same for every question and may be cached."""

    SETUP = "setup"
    MODEL = "model"
    TOOL = "tool"


@dataclass(frozen=True)
class StepRequest:
    """A request without its key. body: sent as JSON; None with GET."""

    url: str
    body: dict[str, Any] | None
    kind: StepKind = StepKind.MODEL
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET without a body, else POST."""
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True)
class StepResponse:
    """A response. body: parsed JSON, else text; headers: names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


Steps = Generator[StepRequest, StepResponse, PlatformReply]


@dataclass(frozen=True)
class CallProfile:
    """What a row of the platform table says about its calls. seed: sent to the demo platform only."""

    base_url: str
    model: str
    surface: PlatformSurface = PlatformSurface.MEMORY
    thinking: Thinking = Thinking.DEFAULT
    country: str = ""
    max_answer_tokens: int | None = None
    search_options: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    @property
    def has_search(self) -> bool:
        """Whether a search is asked for."""
        return self.surface != PlatformSurface.MEMORY


class SearchOptions(BaseModel):
    """The search options of a protocol, with their defaults. An unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoSearchOptions(SearchOptions):
    """A protocol without search options."""


class Protocol(ABC):
    """A wire protocol, with the dialect of one vendor where vendors differ."""

    name: ClassVar[str]
    surfaces: ClassVar[frozenset[PlatformSurface]] = frozenset({PlatformSurface.MEMORY})
    options: ClassVar[type[SearchOptions]] = NoSearchOptions
    thinking_values: ClassVar[frozenset[Thinking]] = frozenset({Thinking.DEFAULT})
    takes_country: ClassVar[bool] = False
    # Hosts whose addresses of sources are redirects.
    redirect_hosts: ClassVar[frozenset[str]] = frozenset()
    owned_fields: ClassVar[frozenset[str]] = frozenset({"model", "stream"})
    # The path of the list of models after the base URL; empty if the platform has none.
    models_path: ClassVar[str] = "/models"
    # How models are checked: the key of the list, and of an id in it.
    models_keys: ClassVar[tuple[str, str]] = ("data", "id")

    @abstractmethod
    def build_body(self, profile: CallProfile, question: str) -> dict[str, Any]:
        """Return the body of the first request to the model, without the extra body of the row."""

    @abstractmethod
    def run(self, profile: CallProfile, question: str) -> Steps:
        """Yield the requests of a call, and return the reply. Raises CallFailed."""

    @abstractmethod
    def parse_usage(self, body: Any) -> Usage:
        """Return what one response says that it used."""

    def build_auth_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Bearer {key}"}

    def compute_params_hash(self, profile: CallProfile) -> str:
        """Return a hash of everything that a request says besides the question: equal hashes, comparable answers."""
        body = self.finish_body(profile, self.build_body(profile, ""))
        body.pop("seed", None)
        content = json.dumps([self.name, profile.base_url, body], sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def finish_body(self, profile: CallProfile, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body with the row's extra body; what the protocol has set stays."""
        if profile.seed is not None:
            body = {**body, "seed": profile.seed}
        return merge_missing(body, profile.extra_body)

    def get_options(self, profile: CallProfile) -> Any:
        """Return the search options of a row with their defaults. Raises CallFailed if they are invalid."""
        try:
            return self.options.model_validate(dict(profile.search_options))
        except ValidationError as error:
            raise CallFailed(FailureReason.CONFIG, f"search options: {error}") from error


def merge_missing(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with the fields that it lacks, also inside of objects."""
    merged = dict(body)
    for name, value in extra.items():
        if name not in merged:
            merged[name] = value
        elif isinstance(merged[name], dict) and isinstance(value, Mapping):
            merged[name] = merge_missing(merged[name], value)
    return merged


def build_url(base_url: str, path: str) -> str:
    """Return a path below a base URL."""
    return base_url.rstrip("/") + path


def check_response(response: StepResponse, url: str) -> dict[str, Any]:
    """Return the body of a successful response. Raises CallFailed for an error status, also one inside of a 200."""
    body = response.body
    has_error = isinstance(body, dict) and bool(body.get("error"))
    if 200 <= response.status < 300 and isinstance(body, dict) and not has_error:
        return body
    if 200 <= response.status < 300 and not isinstance(body, dict):
        raise CallFailed(FailureReason.UNREADABLE, f"not a JSON object: {str(body)[:MAX_BODY_DETAIL_CHARACTERS]}")
    raise build_refusal(response, url)


def build_refusal(response: StepResponse, url: str) -> CallFailed:
    """Return the failure that an error response means."""
    error = ErrorResponse(response.status, response.body, response.headers, urlsplit(url).hostname or "")
    detail = f"HTTP {response.status}: {str(response.body)[:MAX_BODY_DETAIL_CHARACTERS]}"
    return CallFailed(classify_error_response(error), detail, wait_seconds=get_platform_wait_seconds(error))


def build_unreadable(body: Any, what: str) -> CallFailed:
    """Return the failure of a 200 without an answer: an error in fields of the platform's own, else an odd shape."""
    if isinstance(body, dict) and (body.get("code") or body.get("error_code") or body.get("message")):
        return build_refusal(StepResponse(200, body), "")
    return CallFailed(FailureReason.UNREADABLE, f"{what}: {str(body)[:MAX_BODY_DETAIL_CHARACTERS]}")


def build_tool_call_failure(name: str) -> CallFailed:
    """Return the failure of a reply that asks for a tool that nobody runs: the row's extra body offers one."""
    return CallFailed(
        FailureReason.CONFIG,
        f"the model called a tool ({name[:100]}) instead of answering: remove it from the extra body",
    )


def build_unfinished(detail: str) -> CallFailed:
    """Return the failure of an answer that ran out of tokens or steps; the same request would end the same way."""
    return CallFailed(FailureReason.UNFINISHED, detail)


@dataclass
class ReplyBuilder:
    """Collects the parts of a reply while its steps are parsed."""

    text: RawText = field(default_factory=RawText)
    sources: SourceCollector = field(default_factory=SourceCollector)
    reasoning: list[str] = field(default_factory=list)
    queries: list[str] | None = None
    search_errors: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    raw: list[Any] = field(default_factory=list)
    model: str = ""

    def add_step(self, body: dict[str, Any], usage: Usage) -> None:
        """Add the body of a step and what it used."""
        self.raw.append(body)
        self.usage += usage

    def add_queries(self, queries: list[str]) -> None:
        """Add search queries; from now on the platform is known to tell them."""
        self.queries = [*(self.queries or []), *queries]

    def build(
        self,
        search: SearchRecord,
        *,
        finish: str,
        is_truncated: bool,
        refusal: str = "",
        uncited: Ternary = Ternary.UNKNOWN,
    ) -> PlatformReply:
        """Return the reply. Raises CallFailed if it has no text.

        uncited: whether a source that nothing cites is known not to be cited.
        """
        answer = clean_answer_text(self.text.join())
        if not answer.text and refusal:
            raise CallFailed(FailureReason.FILTERED, f"refusal: {refusal[:MAX_BODY_DETAIL_CHARACTERS]}")
        if not answer.text and is_truncated:
            raise build_unfinished("the answer's tokens were used up before its text: turn thinking off or raise them")
        if not answer.text:
            raise CallFailed(FailureReason.UNREADABLE, "an empty answer")
        spans = [answer.map_span(span) for span in self.text.spans]
        reasoning = [*(part.strip() for part in self.reasoning), answer.reasoning]
        queries = None if self.queries is None else tuple(self._storable_queries(self.queries))
        return PlatformReply(
            text=answer.text,
            model=remove_unstorable_characters(self.model).strip()[:MAX_MODEL_CHARACTERS],
            reasoning=remove_unstorable_characters("\n".join(part for part in reasoning if part))[
                :MAX_REASONING_CHARACTERS
            ],
            finish=finish,
            is_truncated=is_truncated or answer.is_cut,
            search=search,
            queries=queries,
            sources=self.sources.build(uncited),
            spans=tuple(span for span in spans if span),
            usage=self.usage,
            raw=tuple(self.raw),
        )

    def _storable_queries(self, queries: list[str]) -> list[str]:
        cleaned = [remove_unstorable_characters(query).strip()[:MAX_QUERY_CHARACTERS] for query in queries]
        return [query for query in cleaned if query][:MAX_QUERIES]
