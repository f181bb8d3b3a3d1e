"""The load under which faults are injected: 20 running diagnoses, 40 clients, and the checks after the last fault."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.chaos.clients import ClientGroup, start_clients
from bench.harness import BenchmarkResult
from testing.fakes.platform import Behaviour, Call, FakePlatform, respond_with_answer
from testing.invariants import (
    StartedDiagnosis,
    assert_consistent,
    count_stored_answers,
    count_unfinished_diagnoses,
    get_events,
    get_stored_at,
    group_calls_by_answer,
    request_diagnosis,
    utc_now,
    wait_until_all_ended,
)
from testing.services import wait_until
from testing.site import Site

MAX_DRAIN_SECONDS = 300.0  # from the last injection until all diagnoses must have ended
WORKLOAD_PLATFORMS = ("fast", "slow")
# After a process was frozen it may still make a call that it had decided on before.
RESUME_TOLERANCE = timedelta(seconds=1)
EXPECTATION = "all end; answers stay; no event lost, repeated, out of order; calls repeated <= calls interrupted"
STORED_ANSWERS_SQL = (
    "SELECT id, state, md5(text), reason, attempts, milliseconds, answered_at FROM diagnosis_answer"
    " WHERE answered_at IS NOT NULL"
)


@dataclass(frozen=True)
class WorkloadSize:
    """Diagnoses, clients and questions per diagnosis; how often a fault is injected; sizes of the other scenarios.

    attackers: hostile sockets of each kind; orders, corrections: of the account that starves others; calls: to each
    hostile platform; schemes: of Apprise, None for all; spellings: of a credential.
    """

    diagnoses: int = 20
    clients: int = 40
    questions: int = 6
    times: int = 5
    seconds: float = 600
    frames: int = 100_000
    examples: int = 40
    attackers: int = 200
    attack_seconds: float = 20
    orders: int = 100
    corrections: int = 40
    calls: int = 5  # the concurrency of a new platform
    schemes: int | None = None
    spellings: int = 1000


@dataclass
class Workload:
    """A site under load, and what was observed so far."""

    site: Site
    fake: FakePlatform
    rng: random.Random
    size: WorkloadSize
    started: list[StartedDiagnosis] = field(default_factory=list)
    stored_answers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Every answer that was observed stored, by id, as it was then."""
    injections: list[tuple[datetime, datetime]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    allowed_statuses: frozenset[str] = frozenset({"completed"})
    platforms: tuple[str, ...] = WORKLOAD_PLATFORMS
    checks_repeated_calls: bool = True
    """False where the platforms fail themselves, so that calls are retried."""
    checks_clocks: bool = True
    """False where the site's clock is not the platforms' clock."""
    stored_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    client_groups: list[ClientGroup] = field(default_factory=list)

    def start(self) -> None:
        """Start diagnoses and the clients that follow them."""
        with self.site.client() as client:
            started = [
                request_diagnosis(client, self.platforms, questions=self.size.questions)
                for _ in range(self.size.diagnoses)
            ]
            token = str(client.headers["Authorization"]).removeprefix("Bearer ")
        self.started += started
        self.client_groups.append(start_clients(self.site, started, token, self.size.clients, 2 * MAX_DRAIN_SECONDS))

    def wait_until_mid_run(self) -> bool:
        """Return True once a few more answers are stored and calls are in flight, False if all have ended before."""
        enough = count_stored_answers(self.site) + self.rng.randint(3, 15)
        wait_until(
            lambda: (
                (count_stored_answers(self.site) >= enough and self.fake.in_flight.total() > 0)
                or not count_unfinished_diagnoses(self.site)
            ),
            "the middle of the run",
            MAX_DRAIN_SECONDS,
        )
        for pk, *columns in self.site.query(STORED_ANSWERS_SQL):
            self.stored_answers.setdefault(str(pk), tuple(columns))
        return count_unfinished_diagnoses(self.site) > 0

    @contextmanager
    def injecting(self) -> Iterator[None]:
        """Record the time of an injection: calls in flight during the block may be made once more."""
        began = utc_now()
        try:
            yield
        finally:
            self.injections.append((began, utc_now()))

    def finish(self, title: str, seconds: float) -> BenchmarkResult:
        """Wait until all diagnoses and clients are done, and check everything."""
        try:
            wait_until_all_ended(self.site, MAX_DRAIN_SECONDS)
        except TimeoutError:
            self.problems.append(f"{count_unfinished_diagnoses(self.site)} diagnoses have not ended")
        for group in self.client_groups:
            group.wait_until_done()
        ended = [started for started in self.started if self._check_consistency(started)]
        self._check_stored_answers()
        for client in [client for group in self.client_groups for client in group.clients]:
            self.problems += client.find_errors(get_events(self.site, client.diagnosis.stream))
        self._check_late_calls()
        repeated_calls_text = self._check_repeated_calls()
        measured = (
            f"{len(self.injections)} injections; {len(ended)}/{len(self.started)} ended as required; "
            f"{len(self.stored_answers)} answers stay; "
            f"{sum(len(group.clients) for group in self.client_groups)} clients; {repeated_calls_text}; {seconds:.0f} s"
        )
        problems = [f"{problem} ({count}x)" for problem, count in Counter(self.problems).most_common(4)]
        is_held = not self.problems and len(self.injections) >= 1
        return BenchmarkResult(title, EXPECTATION, "; ".join([measured, *self.notes, *problems]), is_held)

    def _check_consistency(self, started: StartedDiagnosis) -> bool:
        try:
            status = assert_consistent(self.site, started)
        except AssertionError as error:
            self.problems.append(f"inconsistent: {str(error).splitlines()[0] if str(error) else 'a row'}")
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

    def _check_repeated_calls(self) -> str:
        """A call is interrupted when a fault is injected between its decision and the storing of its answer."""
        if not self.checks_repeated_calls:
            return "calls are retried by design"
        calls = group_calls_by_answer(self.fake)
        pairs = [pair for made in calls.values() for pair in itertools.pairwise(made)]
        unexcused = sum(not self._is_injection_between(*pair) for pair in pairs)
        if unexcused:
            self.problems.append(f"{unexcused} calls repeated without an injection between")
        interrupted = len(pairs) - unexcused
        interrupted += sum(self._was_interrupted(made[-1], planned) for planned, made in calls.items())
        unstored = sum(first.outcome == "answered" for first, _ in pairs)
        return f"{len(pairs)} calls repeated ({unstored} answered but not yet stored) of {interrupted} interrupted"

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

    def _check_late_calls(self) -> None:
        """No call begins after its answer was stored, unless an injection has delayed it."""
        self.stored_at = get_stored_at(self.site)
        if not self.checks_clocks:
            return
        late = sum(
            call.started_at > self.stored_at[planned] and not self._was_delayed(call, self.stored_at[planned])
            for planned, made in group_calls_by_answer(self.fake).items()
            for call in made
            if planned in self.stored_at
        )
        if late:
            self.problems.append(f"{late} calls made although their answer was stored")

    def _was_delayed(self, call: Call, stored_at: datetime) -> bool:
        return any(
            before <= stored_at and before <= call.started_at <= after + RESUME_TOLERANCE
            for before, after in self.injections
        )


def build_normal_behaviours(rng: random.Random) -> dict[str, Behaviour]:
    """Return the behaviours of two platforms that answer, one faster than the other."""
    return {
        "fast": respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.4)),
        "slow": respond_with_answer(delay_seconds=lambda: rng.uniform(0.3, 1.0)),
    }


def add_fake_platforms(site: Site, fake: FakePlatform, behaviours: dict[str, Behaviour], concurrency: int = 4) -> None:
    """Add platforms to the site, all served by the fake with these behaviours."""
    for slug, behaviour in behaviours.items():
        fake.set_behaviour(behaviour, model=slug)
        site.add_platform(slug, fake.base_url, concurrency=concurrency)
