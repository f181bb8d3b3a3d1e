"""What every fault strikes: 20 diagnoses that run, 40 clients that watch; and the account that is drawn up then."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.chaos.watchers import ClientGroup, start_clients
from bench.harness import BenchmarkResult
from testing.fake_platform import Behaviour, Call, FakePlatform, respond_with_answer
from testing.invariants import (
    StartedDiagnosis,
    assert_consistent,
    count_stored_answers,
    count_unfinished_diagnoses,
    request_diagnosis,
    utc_now,
)
from testing.services import wait_until
from testing.site import Site

MAX_DRAIN_SECONDS = 300.0  # from the last blow until all must have ended
WORKLOAD_PLATFORMS = ("fast", "slow")
CHAOS_SITE_SETTINGS = {
    "CALLS_PER_MINUTE": "1000000",
    "ADDRESS_CALLS_PER_MINUTE": "1000000",
    "SIGN_INS_PER_MINUTE": "1000000",
    "STARTS_PER_MINUTE": "1000000",
    "DIAGNOSES_AT_ONCE": "20",
    "JOB_STALLED_SECONDS": "4",
    "LOG_LEVEL": "ERROR",
    "TEST_KEY": "sk-of-a-test",
}
# Where no process dies, a busy machine must not pass for a dead worker.
SLOW_STALL_SETTINGS = {"JOB_STALLED_SECONDS": "20"}
# A process that was frozen sends what it had decided to send before, so soon after it is woken.
RESUME_TOLERANCE = timedelta(seconds=1)
EXPECTATION = "all end; answers stand; no event lost, repeated, out of order; calls twice <= calls cut"


@dataclass(frozen=True)
class WorkloadSize:
    """How much runs, how many watch, how often a fault strikes."""

    diagnoses: int = 20
    clients: int = 40
    questions: int = 6
    times: int = 5
    seconds: float = 600
    frames: int = 100_000
    examples: int = 40


@dataclass
class Workload:
    """A site under work, and what was seen of it so far."""

    site: Site
    fake: FakePlatform
    rng: random.Random
    size: WorkloadSize
    started: list[StartedDiagnosis] = field(default_factory=list)
    stored_answers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Every answer that was seen stored, as it was then."""
    injections: list[tuple[datetime, datetime]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    allowed_statuses: frozenset[str] = frozenset({"completed"})
    platforms: tuple[str, ...] = WORKLOAD_PLATFORMS
    checks_repeated_calls: bool = True
    """False where the platforms themselves fail, so that calls are tried again as they should be."""
    checks_clocks: bool = True
    """False where the site's clock is not that of the platforms."""
    stored_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    client_groups: list[ClientGroup] = field(default_factory=list)

    def start(self) -> None:
        """Order, and let the clients come; again when there is no work left to strike at."""
        with self.site.client() as client:
            ordered = [
                request_diagnosis(client, self.platforms, questions=self.size.questions)
                for _ in range(self.size.diagnoses)
            ]
            token = str(client.headers["Authorization"]).removeprefix("Bearer ")
        self.started += ordered
        self.client_groups.append(start_clients(self.site, ordered, token, self.size.clients, 2 * MAX_DRAIN_SECONDS))

    def wait_until_mid_run(self) -> bool:
        """Return once a few more answers are stored and calls are in flight; False when all has ended already."""
        enough = count_stored_answers(self.site) + self.rng.randint(3, 15)

        def is_middle() -> bool:
            return count_stored_answers(self.site) >= enough and self.fake.in_flight.total() > 0

        wait_until(
            lambda: is_middle() or not count_unfinished_diagnoses(self.site),
            "the middle of the work",
            MAX_DRAIN_SECONDS,
        )
        self.snapshot_stored_answers()
        return count_unfinished_diagnoses(self.site) > 0

    def snapshot_stored_answers(self) -> None:
        """Remember what is stored now."""
        for pk, *columns in self.site.query(STORED_ANSWERS_SQL):
            self.stored_answers.setdefault(str(pk), tuple(columns))

    @contextmanager
    def injecting(self) -> Iterator[None]:
        """Around each strike: calls that were in flight then may be made once more."""
        begun = utc_now()
        try:
            yield
        finally:
            self.injections.append((begun, utc_now()))

    def close(self, title: str, seconds: float) -> BenchmarkResult:
        """Wait until all is over, and draw up the account."""
        self._wait_until_all_ended()
        for watch in self.client_groups:
            watch.wait_until_done()
        ended = [one for one in self.started if self._check_consistency(one)]
        self._check_stored_answers()
        self._check_events()
        self._check_late_calls()
        repeated_calls_text = self._check_repeated_calls()
        measured = (
            f"{len(self.injections)} blows; {len(ended)}/{len(self.started)} ended well; "
            f"{len(self.stored_answers)} answers stand; "
            f"{sum(len(watch.clients) for watch in self.client_groups)} clients; {repeated_calls_text}; {seconds:.0f} s"
        )
        problems_text = "; ".join(f"{what} ({count}x)" for what, count in Counter(self.problems).most_common(4))
        is_held = not self.problems and len(self.injections) >= 1
        return BenchmarkResult(title, EXPECTATION, f"{measured}{'; ' if problems_text else ''}{problems_text}", is_held)

    def _wait_until_all_ended(self) -> None:
        try:
            wait_until(lambda: count_unfinished_diagnoses(self.site) == 0, "the end", MAX_DRAIN_SECONDS)
        except AssertionError:
            self.problems.append(f"{count_unfinished_diagnoses(self.site)} diagnoses have not ended")

    def _check_consistency(self, ordered: StartedDiagnosis) -> bool:
        try:
            status = assert_consistent(self.site, ordered)
        except AssertionError as error:
            self.problems.append(f"unsound: {str(error).splitlines()[0] if str(error) else 'a row'}")
            return False
        if status not in self.allowed_statuses:
            self.problems.append(f"ended as {status}")
        return status in self.allowed_statuses

    def _check_stored_answers(self) -> None:
        after = {str(pk): tuple(columns) for pk, *columns in self.site.query(STORED_ANSWERS_SQL)}
        changed = sum(after.get(pk) != columns for pk, columns in self.stored_answers.items())
        if changed:
            self.problems.append(f"{changed} stored answers changed or gone")
        self.stored_answers = after

    def _check_events(self) -> None:
        for watcher in [one for watch in self.client_groups for one in watch.clients]:
            log = self.site.query(EVENTS_SQL, watcher.diagnosis.stream)
            self.problems += watcher.find_errors(log)

    def _check_repeated_calls(self) -> str:
        """A call is cut when a blow falls between its decision and the storing of its answer."""
        if not self.checks_repeated_calls:
            return "calls are tried again by design"
        calls = group_calls_by_answer(self.fake)
        pairs = [pair for made in calls.values() for pair in itertools.pairwise(made)]
        unexcused = sum(not self._is_injection_between(*pair) for pair in pairs)
        if unexcused:
            self.problems.append(f"{unexcused} calls made twice without a blow between")
        cut = len(pairs) - unexcused
        cut += sum(self._was_interrupted(made[-1], planned) for planned, made in calls.items())
        unstored = sum(first.outcome == "answered" for first, _ in pairs)
        return f"{len(pairs)} calls twice ({unstored} answered but not yet stored) of {cut} cut"

    def _was_interrupted(self, last: Call, planned: tuple[str, str]) -> bool:
        stored_at = self.stored_at.get(planned)
        return stored_at is not None and any(
            last.started_at <= after and before <= stored_at for before, after in self.injections
        )

    def _is_injection_between(self, first: Call, second: Call) -> bool:
        return any(
            first.started_at <= after + RESUME_TOLERANCE and before <= second.started_at
            for before, after in self.injections
        )

    def _was_resumed(self, call: Call, stored_at: datetime) -> bool:
        return any(
            before <= stored_at and before <= call.started_at <= after + RESUME_TOLERANCE
            for before, after in self.injections
        )

    def _check_late_calls(self) -> None:
        """No call begins after its answer has been stored, but what a blow kept from beginning."""
        self.stored_at = {(platform, question): at for platform, question, at in self.site.query(STORED_AT_SQL)}
        if not self.checks_clocks:
            return
        late = sum(
            call.started_at > self.stored_at[planned] and not self._was_resumed(call, self.stored_at[planned])
            for planned, made in group_calls_by_answer(self.fake).items()
            for call in made
            if planned in self.stored_at
        )
        if late:
            self.problems.append(f"{late} calls made although their answer was stored")


def group_calls_by_answer(fake: FakePlatform) -> dict[tuple[str, str], list[Call]]:
    """By platform and question, which without repeats name one planned answer."""
    calls: dict[tuple[str, str], list[Call]] = {}
    for call in list(fake.calls):
        calls.setdefault((call.model, call.question), []).append(call)
    return calls


STORED_ANSWERS_SQL = (
    "SELECT id, state, md5(text), reason, attempts, milliseconds, answered_at FROM diagnosis_answer"
    " WHERE answered_at IS NOT NULL"
)
STORED_AT_SQL = (
    "SELECT a.platform_id, q.text, a.answered_at FROM diagnosis_answer a"
    " JOIN diagnosis_question q ON q.id = a.question_id WHERE a.answered_at IS NOT NULL"
)
EVENTS_SQL = "SELECT seq, kind, data FROM progress_event WHERE stream_id = %s ORDER BY seq"


def build_normal_behaviours(rng: random.Random) -> dict[str, Behaviour]:
    """Two platforms that answer well, one faster than the other."""
    return {
        "fast": respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.4)),
        "slow": respond_with_answer(delay_seconds=lambda: rng.uniform(0.3, 1.0)),
    }


def add_fake_platforms(site: Site, fake: FakePlatform, behaviours: dict[str, Behaviour], concurrency: int = 4) -> None:
    """Put platforms into the site, and tell the stand-in how they behave."""
    for slug, behaviour in behaviours.items():
        fake.set_behaviour(behaviour, model=slug)
        site.add_platform(slug, fake.base_url, concurrency=concurrency)
