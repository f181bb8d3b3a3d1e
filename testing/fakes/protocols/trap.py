"""A trap: what a platform sends, and the record or the reason that must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnosis.choices import FailureReason, PlatformSurface, SourceOrigin, Ternary, Thinking

QUESTION = "哪个手冲壶好？"
YES, NO, UNKNOWN = Ternary.YES, Ternary.NO, Ternary.UNKNOWN
RESULT, CITATION, OPENED, SELF_REPORTED = (
    SourceOrigin.RESULT,
    SourceOrigin.CITATION,
    SourceOrigin.OPENED,
    SourceOrigin.SELF_REPORTED,
)


@dataclass(frozen=True)
class Canned:
    """A response that a fake sends."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """The record of a valid reply; fields that are None are not compared.

    sources: (url, origin, cited) in order. cited_text: (part of the text, positions of its sources) in order.
    """

    text: str | None = None
    model: str | None = None
    reasoning: str | None = None
    truncated: bool = False
    happened: Ternary = YES
    count: int | None = None
    queries: list[str] | None = None
    sources: list[tuple[str, SourceOrigin, Ternary]] | None = None
    cited_text: list[tuple[str, list[int]]] | None = None
    searches: int | None = None
    errors: list[str] | None = None


@dataclass(frozen=True)
class Trap:
    """One way of one protocol to mislead. calls: how many requests one attempt makes."""

    protocol: str
    name: str
    responses: list[Canned]
    expected: Expected | FailureReason
    surface: PlatformSurface = PlatformSurface.SEARCH
    thinking: Thinking = Thinking.DEFAULT
    search_options: Mapping[str, Any] = field(default_factory=dict)
    calls: int = 1
    wait_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.protocol}: {self.name}".replace(" ", "-")


def valid(protocol: str, name: str, body: Any, expected: Expected, **rest: Any) -> Trap:
    """A trap of one response that is a valid reply."""
    return Trap(protocol, name, [Canned(body)], expected, **rest)


def failing(protocol: str, name: str, body: Any, reason: FailureReason, *, status: int = 200, **rest: Any) -> Trap:
    """A trap of one response that is no answer."""
    return Trap(protocol, name, [Canned(body, status)], reason, **rest)
