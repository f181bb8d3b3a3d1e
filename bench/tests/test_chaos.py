"""The torture in short: a few blows and a few hundred frames, and that the account of it notices what is wrong."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.chaos.cluster import Cluster, running_cluster
from bench.chaos.faults import FAULT_SCENARIOS, Scenario, kill_worker_and_server_in_turn, run_fault_scenario
from bench.chaos.fuzzing import find_conversation_problem, run_frame_scenario
from bench.chaos.schema import parse_summary
from bench.chaos.soak import MIB, ProcessSample, get_growth_mib_per_minute
from bench.chaos.watchers import ChaosClient
from bench.chaos.workload import Workload, WorkloadSize
from testing.fake_platform import Call, FakePlatform
from testing.invariants import StartedDiagnosis, make_seeded_rng
from testing.raw_websocket import ReceivedFrames
from testing.site import Site

SMALL = WorkloadSize(diagnoses=4, clients=8, questions=4, times=2)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return make_seeded_rng(request)


@pytest.fixture
def on() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


def test_worker_and_server_killed_in_turn_lose_and_repeat_nothing(on: Cluster, rng: random.Random) -> None:
    figure = run_fault_scenario(
        Scenario("short", "worker and server killed in turn", FAULT_SCENARIOS[0].run),
        SMALL,
        rng,
        on,
        kill_worker_and_server_in_turn,
    )
    assert figure.is_held, figure.measured


def test_fuzzed_frames_are_answered_or_refused_and_harm_nobody(rng: random.Random) -> None:
    for figure in run_frame_scenario(rng, count=200):
        assert figure.is_held, figure.measured


# That the account can fail --------------------------------------------------------------------------------------------

LOG: list[tuple[int, str, dict[str, Any]]] = [(1, "progress", {}), (2, "result", {}), (3, "complete", {})]


@pytest.mark.parametrize(
    ("places", "fault"),
    [
        ([0, 2], "1 events lost"),
        ([0, 1, 1, 2], "1 events repeated"),
        ([1, 0, 2], "1 events out of order"),
    ],
)
def test_what_a_client_missed_or_got_twice_is_noticed(places: list[int], fault: str) -> None:
    watcher = ChaosClient(cast(Site, None), StartedDiagnosis("", "", 0), events=[LOG[place] for place in places])
    assert watcher.find_errors(LOG) == [fault]


def test_an_event_that_came_changed_is_noticed() -> None:
    events = [LOG[0], (2, "result", {"answer": "another"}), LOG[2]]
    assert ChaosClient(cast(Site, None), StartedDiagnosis("", "", 0), events=events).find_errors(LOG) == [
        "1 events changed"
    ]
    assert ChaosClient(cast(Site, None), StartedDiagnosis("", "", 0), events=list(LOG)).find_errors(LOG) == []


def _scene(*calls_at: float, blow_at: float | None = None, stored_at: float = 9) -> Workload:
    """One question, asked at these seconds, stored at that, struck at the other."""

    def moment(seconds: float) -> datetime:
        return MOMENT + timedelta(seconds=seconds)

    calls = [Call("one", "问", "", {}, {}, moment(at), moment(at + 1), "answered") for at in calls_at]
    site = SimpleNamespace(query=lambda _: [("one", "问", moment(stored_at))])
    fake = cast(FakePlatform, SimpleNamespace(calls=calls))
    scene = Workload(cast(Site, site), fake, random.Random(1), SMALL)
    if blow_at is not None:
        scene.injections.append((moment(blow_at), moment(blow_at)))
    scene._check_late_calls()
    scene._check_repeated_calls()
    return scene


def test_a_call_made_twice_is_excused_by_a_blow_between_alone() -> None:
    assert _scene(1, 5, blow_at=3).problems == []
    assert _scene(1, 5).problems == ["1 calls made twice without a blow between"]
    assert _scene(1, 5, blow_at=7).problems == ["1 calls made twice without a blow between"]


def test_a_call_for_what_is_stored_is_noticed() -> None:
    assert _scene(1, 5, blow_at=3, stored_at=2).problems == ["1 calls made although their answer was stored"]


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        (ReceivedFrames([{"type": "error"}], 4400, is_upgraded=True), ""),
        (ReceivedFrames([], 4400, is_upgraded=True), "a 44xx close without its error frame"),
        (ReceivedFrames([{"type": "error"}], 1000, is_upgraded=True), "an error frame, then 1000"),
        (ReceivedFrames([], 0, is_upgraded=True), "a bad frame was passed over, 0"),
        (ReceivedFrames([], 1011, is_upgraded=True), "closed with 1011"),
        (ReceivedFrames([{"type": "error"}], 4500, is_upgraded=True), "an error frame, then 4500"),
        (ReceivedFrames(), "not accepted"),
    ],
)
def test_a_talk_that_ends_otherwise_is_noticed(heard: ReceivedFrames, wrong: str) -> None:
    assert find_conversation_problem(["{"], heard) == wrong


def test_a_growing_process_has_a_slope() -> None:
    samples = [ProcessSample(at, {"server": int(at / 60 * 3 * MIB)}, {}, 0) for at in range(0, 600, 5)]
    assert get_growth_mib_per_minute(samples, "server") == pytest.approx(3, abs=0.01)


def test_the_failures_of_schemathesis_are_counted() -> None:
    lines = ["Failures:", "  ❌ ST101 Server error: 1", "  ❌ ST103 Undocumented: 26", "", "rejected generated data"]
    said = "\n".join([*lines, "  1,771 generated, 28 bad"])
    assert parse_summary(said) == {
        "cases": 1771,
        "failures": Counter({"ST101 Server error": 1, "ST103 Undocumented": 26}),
    }
