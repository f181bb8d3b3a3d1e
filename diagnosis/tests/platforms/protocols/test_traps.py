"""Every protocol against what platforms really send: the right record, the right reason, the right number of calls."""

from typing import Any

import pytest

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.protocols.base import CallProfile, StepResponse
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.replies import PlatformReply
from testing.fakes.protocols.all_traps import ALL_TRAPS
from testing.fakes.protocols.table import PAGE, render_table
from testing.fakes.protocols.trap import QUESTION, Expected, Trap


def _run(trap: Trap) -> tuple[PlatformReply | CallFailed, int]:
    """Run a call against the trap's responses; return what came of it and the number of requests."""
    profile = CallProfile(
        "https://platform.example/v1", "m-1", trap.surface, trap.thinking, search_options=trap.search_options
    )
    steps = PROTOCOLS[trap.protocol].run(profile, QUESTION)
    calls = 0
    try:
        next(steps)
        for canned in trap.responses:
            calls += 1
            steps.send(StepResponse(canned.status, canned.body, canned.headers))
    except StopIteration as stop:
        return stop.value, calls
    except CallFailed as failure:
        return failure, calls
    raise AssertionError("the call asks for more responses than the trap has")


def _check_record(reply: PlatformReply, expected: Expected) -> None:
    found: dict[str, Any] = {
        "text": reply.text,
        "model": reply.model,
        "reasoning": reply.reasoning,
        "truncated": reply.is_truncated,
        "happened": reply.search.happened,
        "count": reply.search.count,
        "queries": None if reply.queries is None else list(reply.queries),
        "sources": [(source.url, source.origin, source.cited) for source in reply.sources],
        "cited_text": [(reply.text[span.start : span.end], list(span.sources)) for span in reply.spans],
        "searches": reply.usage.searches,
        "errors": list(reply.search.errors),
    }
    wanted = {name: value for name, value in vars(expected).items() if value is not None}
    assert {name: found[name] for name in wanted} == wanted
    assert [source.position for source in reply.sources] == list(range(len(reply.sources)))
    assert reply.raw


@pytest.mark.parametrize("trap", ALL_TRAPS, ids=str)
def test_trap(trap: Trap) -> None:
    outcome, calls = _run(trap)
    assert calls == trap.calls
    if isinstance(trap.expected, FailureReason):
        assert isinstance(outcome, CallFailed)
        assert outcome.reason == trap.expected, outcome.detail
        assert outcome.wait_seconds == trap.wait_seconds
    else:
        assert isinstance(outcome, PlatformReply), outcome
        _check_record(outcome, trap.expected)


def test_every_protocol_has_traps() -> None:
    assert {trap.protocol for trap in ALL_TRAPS} == set(PROTOCOLS)


def test_the_documented_table_is_that_of_the_traps() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_table(), "run python -m testing.fakes.protocols.table"
