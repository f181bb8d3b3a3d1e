"""Fuzzed frames at the socket of a running server: each is answered or refused, and the process is never harmed."""

import asyncio
import json
import random
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.figures import Figure
from bench.torture.stage import Stage, stage
from bench.torture.wire import Heard, Raw, bytes_of, frame_of, say
from diagsite.tests.proof import order_body
from progress.payloads import CloseCode, parse_client_frame
from progress.tests.test_fuzz import GOOD, frames

FRAMES = 100_000
MOST_IN_A_TALK = 6
TALKS_AT_ONCE = 150
TALKS_A_ROUND = 2000  # the server waits for the goodbye of those that cannot say any, and a round waits for the server
MOST_GROWTH_MIB = 40
MOST_SHOWN = 3

log = Console(stderr=True)
# What RFC 6455 has a server say to bytes that are no message: broken framing, text that is not UTF-8, too big to take.
BELOW_US = {1002, 1007, 1009}
REFUSALS = {int(code) for code in CloseCode} - {int(CloseCode.DONE), int(CloseCode.OUR_FAULT)}

Said = str | bytes | Raw

broken_framing = st.one_of(
    st.builds(
        lambda opcode: Raw(struct.pack("!BB", 0x80 | opcode, 0x80) + b"\0\0\0\0"), st.sampled_from([3, 7, 11, 15])
    ),
    st.builds(lambda text: Raw(b"\x81" + bytes([len(text)]) + text), st.binary(max_size=125)),  # without a mask
    st.builds(lambda bits: Raw(bytes([0x81 | bits, 0x80, 0, 0, 0, 0])), st.sampled_from([0x10, 0x20, 0x40, 0x70])),
    st.builds(lambda size: Raw(struct.pack("!BBQ", 0x81, 0xFF, size) + b"\0\0\0\0"), st.integers(2**17, 2**63)),
    st.builds(lambda junk: Raw(frame_of(b"\xff" + junk, 1)), st.binary(max_size=100)),  # not UTF-8
    st.builds(lambda data: Raw(frame_of(data, 9)), st.binary(min_size=126, max_size=300)),  # a ping that is too long
    st.builds(Raw, st.binary(min_size=1, max_size=200)),
)
huge = st.builds(lambda size: "y" * size, st.sampled_from([4097, 20_000, 65_535, 65_537, 300_000]))
saying = st.one_of(frames, frames, frames, frames, frames, frames, huge, broken_framing)
talks = st.lists(
    st.tuples(st.lists(saying, min_size=1, max_size=MOST_IN_A_TALK), st.booleans()), min_size=8, max_size=8
)


@dataclass
class Fuzzed:
    """What came of it."""

    frames: int = 0
    talks: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    growth_mib: float = 0.0


def judge(said: Sequence[Said], heard: Heard) -> str:
    """What is wrong with how a talk ended; nothing when it is as the protocol has it."""
    if not heard.is_upgraded:
        return "not accepted"
    if not set(heard.kinds) <= {"welcome", "reset", "error", "events", "ping"}:
        return f"an unknown frame: {set(heard.kinds)}"
    is_refused = heard.close in REFUSALS
    if is_refused and heard.kinds[-1:] != ["error"]:
        return "a 44xx close without its error frame"
    if "error" in heard.kinds and not is_refused:
        return f"an error frame, then {heard.close}"
    if not is_refused and heard.close not in BELOW_US | {1000, 0}:
        return f"closed with {heard.close}"
    if must_be_refused(said) and not is_refused and heard.close not in BELOW_US:
        return f"a bad frame was passed over, {heard.close}"
    return ""


def must_be_refused(said: Sequence[Said]) -> bool:
    """Whether something in it is wrong for certain, and nothing below the protocol can end it first."""
    return any(is_bad(one) for one in said) and not any(isinstance(one, Raw) for one in said)


def is_bad(said: Said) -> bool:
    """Whether a frame alone must be refused. Of raw bytes nobody can say: they may be half of something good."""
    if isinstance(said, Raw):
        return False
    if isinstance(said, bytes):
        return True
    try:
        parse_client_frame(said)
    except ValueError:
        return True
    return len(bytes_of(said)) > 70_000


class Fuzzer:
    """Talks with a server, many at a time."""

    def __init__(self, port: int, path: str, hello: str) -> None:
        self.port, self.path, self.hello = port, path, hello
        self.found = Fuzzed()
        self._loop = asyncio.new_event_loop()
        self._waiting: list[tuple[list[Said], bool]] = []

    def add(self, said: list[Said], *, in_drops: bool) -> None:
        """One talk more; when enough are together, they are held."""
        self.found.talks += 1
        self.found.frames += len(said)
        self._waiting.append(([self.hello if one == GOOD else one for one in said], in_drops))
        if len(self._waiting) >= TALKS_A_ROUND:
            self.flush()

    def flush(self) -> None:
        """Hold the talks that wait."""
        self._loop.run_until_complete(self._hold_all())
        self._waiting = []

    async def _hold_all(self) -> None:
        places = asyncio.Semaphore(TALKS_AT_ONCE)

        async def hold(said: list[Said], in_drops: bool) -> None:
            async with places:
                await self._hold(said, in_drops=in_drops)

        await asyncio.gather(*(hold(*talk) for talk in self._waiting))

    async def _hold(self, said: list[Said], *, in_drops: bool) -> None:
        is_short = sum(len(bytes_of(one)) for one in said) < 500
        try:
            heard = await say(
                self.port, self.path, said, in_drops=in_drops and is_short, says_goodbye=not must_be_refused(said)
            )
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self.found.wrong[repr(error)] += 1
            return
        self.found.endings[str(heard.close)] += 1
        wrong = judge(said, heard)
        if wrong:
            self.found.wrong[wrong] += 1
            if self.found.wrong[wrong] <= MOST_SHOWN:
                log.print(f"{wrong}: {said!r:.600} -> {heard.kinds} {heard.close}", markup=False)


def fuzz(on: Stage, rng: random.Random, count: int) -> Fuzzed:
    """So many frames, drawn by hypothesis from the seed."""
    with on.site.client() as client:
        accepted = client.post("/api/diagnoses", json=order_body(["held"])).json()
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    fuzzer = Fuzzer(on.site.port, accepted["socket_url"], json.dumps({"type": "hello", "v": 1, "token": token}))
    process, started = psutil.Process(on.server.process.pid), time.monotonic()
    before = 0

    while fuzzer.found.frames < count:

        @seed(rng.randrange(2**31))
        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(drawn=talks)
        def draw(drawn: list[tuple[list[Said], bool]]) -> None:
            if fuzzer.found.frames < count:
                for said, in_drops in drawn:
                    fuzzer.add(said, in_drops=in_drops)

        draw()
        fuzzer.flush()
        before = before or process.memory_info().rss  # warm by now
    fuzzer.found.seconds = time.monotonic() - started
    fuzzer.found.growth_mib = (process.memory_info().rss - before) / 2**20
    return fuzzer.found


def attack_socket(rng: random.Random, *, count: int = FRAMES) -> list[Figure]:
    """Frames of every kind of wrong."""
    from bench.torture.scene import furnish
    from diagsite.tests.fake_platform import FakePlatform, hold

    with FakePlatform() as fake, stage(workers=0) as on:
        furnish(on.site, fake, {"held": hold()})
        pid = on.server.process.pid
        found = fuzz(on, rng, count)
        is_alive = on.server.process.pid == pid and on.server.process.is_running
        after = asyncio.run(say(on.site.port, "/ws/nowhere/", ['{"type":"pong"}'], says_goodbye=False))
        tracebacks = on.server.process.log.read_text(errors="replace").count("Traceback")
    endings = ", ".join(f"{code} {times}x" for code, times in found.endings.most_common())
    told = "".join(f"; {what} {times}x" for what, times in found.wrong.most_common(4))
    return [
        Figure(
            f"{found.frames:,} fuzzed frames in {found.talks:,} talks",
            "each answered, or an error frame and a 44xx close (below the protocol: RFC 6455's own)",
            f"{sum(found.wrong.values())} wrong; closes: {endings}{told}; {found.seconds:.0f} s",
            not found.wrong and found.frames >= count,
        ),
        Figure(
            "the server after them",
            f"the same process, no traceback, <= {MOST_GROWTH_MIB} MiB more",
            f"{'the same' if is_alive else 'another'} process, {tracebacks} tracebacks, "
            f"{found.growth_mib:.1f} MiB more, "
            f"closes an unknown address with {after.close}",
            is_alive and not tracebacks and found.growth_mib <= MOST_GROWTH_MIB and after.close == 4404,
        ),
    ]
