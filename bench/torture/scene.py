"""What every fault strikes: 20 diagnoses that run, 40 clients that watch; and the account that is drawn up then."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.figures import Figure
from bench.torture.watchers import Watch, begin_watching
from diagsite.tests.fake_platform import Behaviour, Call, FakePlatform, answer
from diagsite.tests.proof import Ordered, answers_stored, assert_sound, now, order, unfinished
from diagsite.tests.services import wait_until
from diagsite.tests.site import Site

MOST_SECONDS = 300.0  # from the last blow until all must have ended
PLATFORMS = ("fast", "slow")
QUIET = {
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
STEADY = {"JOB_STALLED_SECONDS": "20"}
# A process that was frozen sends what it had decided to send before, so soon after it is woken.
WAKING = timedelta(seconds=1)
MUST = "all end; answers stand; no event lost, repeated, out of order; calls twice <= calls cut"


@dataclass(frozen=True)
class Size:
    """How much runs, how many watch, how often a fault strikes."""

    diagnoses: int = 20
    clients: int = 40
    questions: int = 6
    times: int = 5
    seconds: float = 600
    frames: int = 100_000
    examples: int = 40


@dataclass
class Scene:
    """A site under work, and what was seen of it so far."""

    site: Site
    fake: FakePlatform
    rng: random.Random
    size: Size
    accepted: list[Ordered] = field(default_factory=list)
    stored: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Every answer that was seen stored, as it was then."""
    blows: list[tuple[datetime, datetime]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    may_end: frozenset[str] = frozenset({"completed"})
    platforms: tuple[str, ...] = PLATFORMS
    are_calls_counted: bool = True
    """False where the platforms themselves fail, so that calls are tried again as they should be."""
    is_clock_true: bool = True
    """False where the site's clock is not that of the platforms."""
    stored_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)

    def begin(self) -> None:
        """Order, and let the clients come; again when there is no work left to strike at."""
        with self.site.client() as client:
            ordered = [order(client, self.platforms, questions=self.size.questions) for _ in range(self.size.diagnoses)]
            token = str(client.headers["Authorization"]).removeprefix("Bearer ")
        self.accepted += ordered
        self.watches.append(begin_watching(self.site, ordered, token, self.size.clients, 2 * MOST_SECONDS))

    def wait_for_the_middle(self) -> bool:
        """Return once a few more answers are stored and calls are in flight; False when all has ended already."""
        enough = answers_stored(self.site) + self.rng.randint(3, 15)

        def is_middle() -> bool:
            return answers_stored(self.site) >= enough and self.fake.in_flight.total() > 0

        wait_until(lambda: is_middle() or not unfinished(self.site), "the middle of the work", MOST_SECONDS)
        self.note_stored()
        return unfinished(self.site) > 0

    def note_stored(self) -> None:
        """Remember what is stored now."""
        for pk, *columns in self.site.query(ANSWERS):
            self.stored.setdefault(str(pk), tuple(columns))

    @contextmanager
    def blow(self) -> Iterator[None]:
        """Around each strike: calls that were in flight then may be made once more."""
        begun = now()
        try:
            yield
        finally:
            self.blows.append((begun, now()))

    def close(self, title: str, seconds: float) -> Figure:
        """Wait until all is over, and draw up the account."""
        self._wait_until_all_ended()
        for watch in self.watches:
            watch.wait()
        ended = [one for one in self.accepted if self._is_sound(one)]
        self._compare_stored()
        self._compare_events()
        self._compare_clocks()
        twice = self._compare_calls()
        measured = (
            f"{len(self.blows)} blows; {len(ended)}/{len(self.accepted)} ended well; {len(self.stored)} answers stand; "
            f"{sum(len(watch.watchers) for watch in self.watches)} clients; {twice}; {seconds:.0f} s"
        )
        told = "; ".join(f"{what} ({count}x)" for what, count in Counter(self.problems).most_common(4))
        is_held = not self.problems and len(self.blows) >= 1
        return Figure(title, MUST, f"{measured}{'; ' if told else ''}{told}", is_held)

    def _wait_until_all_ended(self) -> None:
        try:
            wait_until(lambda: unfinished(self.site) == 0, "the end", MOST_SECONDS)
        except AssertionError:
            self.problems.append(f"{unfinished(self.site)} diagnoses have not ended")

    def _is_sound(self, ordered: Ordered) -> bool:
        try:
            status = assert_sound(self.site, ordered)
        except AssertionError as error:
            self.problems.append(f"unsound: {str(error).splitlines()[0] if str(error) else 'a row'}")
            return False
        if status not in self.may_end:
            self.problems.append(f"ended as {status}")
        return status in self.may_end

    def _compare_stored(self) -> None:
        after = {str(pk): tuple(columns) for pk, *columns in self.site.query(ANSWERS)}
        changed = sum(after.get(pk) != columns for pk, columns in self.stored.items())
        if changed:
            self.problems.append(f"{changed} stored answers changed or gone")
        self.stored = after

    def _compare_events(self) -> None:
        for watcher in [one for watch in self.watches for one in watch.watchers]:
            log = self.site.query(EVENTS, watcher.ordered.stream)
            self.problems += watcher.faults(log)

    def _compare_calls(self) -> str:
        """A call is cut when a blow falls between its decision and the storing of its answer."""
        if not self.are_calls_counted:
            return "calls are tried again by design"
        calls = calls_by_answer(self.fake)
        pairs = [pair for made in calls.values() for pair in itertools.pairwise(made)]
        unexcused = sum(not self._is_between(*pair) for pair in pairs)
        if unexcused:
            self.problems.append(f"{unexcused} calls made twice without a blow between")
        cut = len(pairs) - unexcused
        cut += sum(self._was_cut(made[-1], planned) for planned, made in calls.items())
        unstored = sum(first.outcome == "answered" for first, _ in pairs)
        return f"{len(pairs)} calls twice ({unstored} answered but not yet stored) of {cut} cut"

    def _was_cut(self, last: Call, planned: tuple[str, str]) -> bool:
        stored_at = self.stored_at.get(planned)
        return stored_at is not None and any(
            last.started_at <= after and before <= stored_at for before, after in self.blows
        )

    def _is_between(self, first: Call, second: Call) -> bool:
        return any(first.started_at <= after + WAKING and before <= second.started_at for before, after in self.blows)

    def _was_woken(self, call: Call, stored_at: datetime) -> bool:
        return any(before <= stored_at and before <= call.started_at <= after + WAKING for before, after in self.blows)

    def _compare_clocks(self) -> None:
        """No call begins after its answer has been stored, but what a blow kept from beginning."""
        self.stored_at = {(platform, question): at for platform, question, at in self.site.query(STORED)}
        if not self.is_clock_true:
            return
        late = sum(
            call.started_at > self.stored_at[planned] and not self._was_woken(call, self.stored_at[planned])
            for planned, made in calls_by_answer(self.fake).items()
            for call in made
            if planned in self.stored_at
        )
        if late:
            self.problems.append(f"{late} calls made although their answer was stored")


def calls_by_answer(fake: FakePlatform) -> dict[tuple[str, str], list[Call]]:
    """By platform and question, which without repeats name one planned answer."""
    calls: dict[tuple[str, str], list[Call]] = {}
    for call in list(fake.calls):
        calls.setdefault((call.model, call.question), []).append(call)
    return calls


ANSWERS = (
    "SELECT id, state, md5(text), reason, attempts, milliseconds, answered_at FROM diagnosis_answer"
    " WHERE answered_at IS NOT NULL"
)
STORED = (
    "SELECT a.platform_id, q.text, a.answered_at FROM diagnosis_answer a"
    " JOIN diagnosis_question q ON q.id = a.question_id WHERE a.answered_at IS NOT NULL"
)
EVENTS = "SELECT seq, kind, data FROM progress_event WHERE stream_id = %s ORDER BY seq"


def moderate(rng: random.Random) -> dict[str, Behaviour]:
    """Two platforms that answer well, one faster than the other."""
    return {
        "fast": answer(after=lambda: rng.uniform(0.05, 0.4)),
        "slow": answer(after=lambda: rng.uniform(0.3, 1.0)),
    }


def furnish(site: Site, fake: FakePlatform, behaviours: dict[str, Behaviour], concurrency: int = 4) -> None:
    """Put platforms into the site, and tell the stand-in how they behave."""
    for slug, behaviour in behaviours.items():
        fake.behave(behaviour, model=slug)
        site.add_platform(slug, fake.base_url, concurrency=concurrency)
