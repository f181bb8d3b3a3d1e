"""A short fault scenario, and that the checks of the fault scenarios detect every violation."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.chaos.clients import ChaosClient
from bench.chaos.cluster import ChaosEnvironment, running_cluster
from bench.chaos.faults import kill_worker_and_server_in_turn
from bench.chaos.fuzzing import find_conversation_problem
from bench.chaos.scenario import ScenarioContext, run_fault_scenario
from bench.chaos.scenarios import SCENARIOS
from bench.chaos.schema import parse_summary
from bench.chaos.soak import MIB, ProcessSample, get_growth_mib_per_minute
from bench.chaos.workload import Workload, WorkloadSize
from testing.clients.raw_websocket import ReceivedFrames
from testing.fakes.platform import Call, FakePlatform
from testing.invariants import Event, StartedDiagnosis
from testing.site import PROJECT_ROOT, Site

SMALL = WorkloadSize(diagnoses=4, clients=8, questions=4, times=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
LOG: list[Event] = [(1, "progress", {}), (2, "result", {}), (3, "complete", {})]


def test_a_killed_worker_loses_and_repeats_nothing(tmp_path: Path, rng: random.Random) -> None:
    with running_cluster() as cluster:
        context = ScenarioContext("a killed worker", ChaosEnvironment(tmp_path), rng, SMALL)
        result = run_fault_scenario(context, cluster, kill_worker_and_server_in_turn)
    assert result.is_held, result.measured


def test_the_guide_describes_every_scenario() -> None:
    guide = (PROJECT_ROOT / "docs" / "guide" / "chaos.md").read_text()
    assert [scenario.name for scenario in SCENARIOS if f"`{scenario.name}`" not in guide] == ["soak"]


def _client_with(events: list[Event]) -> ChaosClient:
    return ChaosClient(cast(Site, None), StartedDiagnosis("", "", 0), events=events)


@pytest.mark.parametrize(
    ("events", "errors"),
    [
        (LOG, []),
        ([LOG[0], LOG[2]], ["1 events lost"]),
        ([LOG[0], LOG[1], LOG[1], LOG[2]], ["1 events repeated"]),
        ([LOG[1], LOG[0], LOG[2]], ["1 events out of order"]),
        ([LOG[0], (2, "result", {"answer": "another"}), LOG[2]], ["1 events changed"]),
    ],
)
def test_lost_repeated_reordered_and_changed_events_are_detected(events: list[Event], errors: list[str]) -> None:
    assert _client_with(events).find_errors(LOG) == errors


def _find_call_problems(*calls_at: float, injected_at: float | None = None, stored_at: float = 9) -> list[str]:
    """Return the problems of calls for one answer, stored and with a fault injected at these seconds."""

    def at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    calls = [Call("p", "问", "", {}, {}, at(seconds), at(seconds + 1), "answered") for seconds in calls_at]
    site = SimpleNamespace(query=lambda _: [("p", "问", at(stored_at))])
    workload = Workload(cast(Site, site), cast(FakePlatform, SimpleNamespace(calls=calls)), random.Random(1), SMALL)
    if injected_at is not None:
        workload.injections.append((at(injected_at), at(injected_at)))
    workload._check_late_calls()
    workload._check_repeated_calls()
    return workload.problems


def test_a_call_may_be_repeated_only_after_an_injection_between() -> None:
    assert _find_call_problems(1, 5, injected_at=3) == []
    assert _find_call_problems(1, 5) == ["1 calls repeated without an injection between"]
    assert _find_call_problems(1, 5, injected_at=7) == ["1 calls repeated without an injection between"]


def test_a_call_after_its_answer_was_stored_is_detected() -> None:
    problems = _find_call_problems(1, 5, injected_at=3, stored_at=2)
    assert problems == ["1 calls made although their answer was stored"]


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        (ReceivedFrames([{"type": "error"}], 4400, is_upgraded=True), ""),
        (ReceivedFrames([], 4400, is_upgraded=True), "a 44xx close without its error frame"),
        (ReceivedFrames([{"type": "error"}], 1000, is_upgraded=True), "an error frame, then 1000"),
        (ReceivedFrames([], 0, is_upgraded=True), "an invalid frame was ignored, 0"),
        (ReceivedFrames([], 1011, is_upgraded=True), "closed with 1011"),
        (ReceivedFrames([{"type": "error"}], 4500, is_upgraded=True), "an error frame, then 4500"),
        (ReceivedFrames(), "not accepted"),
    ],
)
def test_a_conversation_that_violates_the_protocol_is_detected(received: ReceivedFrames, problem: str) -> None:
    assert find_conversation_problem(["{"], received) == problem


def test_a_growing_process_has_a_slope() -> None:
    samples = [ProcessSample(at, {"server": int(at / 60 * 3 * MIB)}, {}, 0) for at in range(0, 600, 5)]
    assert get_growth_mib_per_minute(samples, "server") == pytest.approx(3, abs=0.01)


def test_failures_in_the_summary_of_schemathesis_are_counted() -> None:
    lines = ["Failures:", "  ❌ ST101 Server error: 1", "  ❌ ST103 Undocumented: 26", "", "rejected generated data"]
    summary = parse_summary("\n".join([*lines, "  1,771 generated, 28 bad"]))
    assert (summary.cases, summary.failures) == (
        1771,
        Counter({"ST101 Server error": 1, "ST103 Undocumented": 26}),
    )
