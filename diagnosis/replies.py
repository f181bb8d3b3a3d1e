"""What a platform's reply consists of, for every protocol: everything above the protocols reads only this."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from diagnosis.choices import PlatformSurface, SourceOrigin, Ternary, WireProtocol

MAX_ANSWER_CHARACTERS = 20_000
MAX_SOURCES = 200
MAX_QUERIES = 50


@dataclass(frozen=True)
class Usage:
    """What a call consumed, as the platform reports it; None where it reports nothing.

    completion_tokens: include reasoning_tokens. cost: the price that the platform itself names, in its currency.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    searches: int | None = None
    cost: Decimal | None = None

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            _add(self.prompt_tokens, other.prompt_tokens),
            _add(self.completion_tokens, other.completion_tokens),
            _add(self.reasoning_tokens, other.reasoning_tokens),
            _add(self.searches, other.searches),
            other.cost if self.cost is None else self.cost if other.cost is None else self.cost + other.cost,
        )


def _add(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else first + second


@dataclass(frozen=True)
class ReplySource:
    """A page that a reply names. position: its place in the platform's own order, duplicates counted.

    cited: whether the answer refers to it; a search result that is not referred to is an exposure, not a citation.
    final_url: where `url` redirects to, if that was followed.
    """

    position: int
    url: str
    origin: SourceOrigin
    cited: Ternary = Ternary.UNKNOWN
    label: str = ""
    title: str = ""
    site: str = ""
    published: str = ""
    snippet: str = ""
    final_url: str = ""


@dataclass(frozen=True)
class CitationSpan:
    """A part of the text, in code points, and the positions of the sources that it refers to."""

    start: int
    end: int
    sources: tuple[int, ...]


@dataclass(frozen=True)
class SearchRecord:
    """Whether a search was asked for, whether it happened, and how often. count_basis: what `count` counts."""

    requested: bool = False
    forced: bool = False
    happened: Ternary = Ternary.NO
    count: int | None = None
    count_basis: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformReply:
    """A valid reply. queries: what the platform searched for, None if it does not tell.

    model: as the platform names it. raw: the parsed body of each step, unknown fields included, without the key.
    params_hash: of everything that was sent besides the question.
    """

    text: str
    model: str
    usage: Usage = field(default_factory=Usage)
    reasoning: str = ""
    finish: str = ""
    is_truncated: bool = False
    search: SearchRecord = field(default_factory=SearchRecord)
    queries: tuple[str, ...] | None = None
    sources: tuple[ReplySource, ...] = ()
    spans: tuple[CitationSpan, ...] = ()
    raw: tuple[Any, ...] = field(default=(), repr=False)
    protocol: WireProtocol = WireProtocol.CHAT
    surface: PlatformSurface = PlatformSurface.MEMORY
    requested_model: str = ""
    params_hash: str = ""
