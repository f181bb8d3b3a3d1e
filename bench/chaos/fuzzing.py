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

from bench.chaos.cluster import Cluster, running_cluster
from bench.harness import BenchmarkResult
from progress.frames import CloseCode, parse_client_frame
from progress.tests.test_fuzz import VALID_HELLO, client_frames
from testing.invariants import build_diagnosis_body
from testing.raw_websocket import RawBytes, ReceivedFrames, build_masked_frame, encode_message, run_raw_conversation

DEFAULT_FRAME_COUNT = 100_000
MAX_MESSAGES_PER_CONVERSATION = 6
MAX_CONCURRENT_CONVERSATIONS = 150
CONVERSATIONS_PER_BATCH = (
    2000  # the server waits for the goodbye of those that cannot say any, and a round waits for the server
)
MAX_GROWTH_MIB = 40
MAX_LOGGED_PER_PROBLEM = 3

log = Console(stderr=True)
# What RFC 6455 has a server say to bytes that are no message: broken framing, text that is not UTF-8, too big to take.
WEBSOCKET_ERROR_CLOSE_CODES = {1002, 1007, 1009}
REFUSAL_CLOSE_CODES = {int(code) for code in CloseCode} - {int(CloseCode.DONE), int(CloseCode.INTERNAL_ERROR)}

RawMessage = str | bytes | RawBytes

broken_framing_messages = st.one_of(
    st.builds(
        lambda opcode: RawBytes(struct.pack("!BB", 0x80 | opcode, 0x80) + b"\0\0\0\0"), st.sampled_from([3, 7, 11, 15])
    ),
    st.builds(lambda text: RawBytes(b"\x81" + bytes([len(text)]) + text), st.binary(max_size=125)),  # without a mask
    st.builds(lambda bits: RawBytes(bytes([0x81 | bits, 0x80, 0, 0, 0, 0])), st.sampled_from([0x10, 0x20, 0x40, 0x70])),
    st.builds(lambda size: RawBytes(struct.pack("!BBQ", 0x81, 0xFF, size) + b"\0\0\0\0"), st.integers(2**17, 2**63)),
    st.builds(lambda junk: RawBytes(build_masked_frame(b"\xff" + junk, 1)), st.binary(max_size=100)),  # not UTF-8
    st.builds(
        lambda data: RawBytes(build_masked_frame(data, 9)), st.binary(min_size=126, max_size=300)
    ),  # a ping that is too long
    st.builds(RawBytes, st.binary(min_size=1, max_size=200)),
)
oversized_texts = st.builds(lambda size: "y" * size, st.sampled_from([4097, 20_000, 65_535, 65_537, 300_000]))
any_messages = st.one_of(
    client_frames,
    client_frames,
    client_frames,
    client_frames,
    client_frames,
    client_frames,
    oversized_texts,
    broken_framing_messages,
)
conversations = st.lists(
    st.tuples(st.lists(any_messages, min_size=1, max_size=MAX_MESSAGES_PER_CONVERSATION), st.booleans()),
    min_size=8,
    max_size=8,
)


@dataclass
class FuzzReport:
    """What came of it."""

    frames: int = 0
    conversations: int = 0
    close_codes: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    growth_mib: float = 0.0


def find_conversation_problem(messages: Sequence[RawMessage], received: ReceivedFrames) -> str:
    """What is wrong with how a talk ended; nothing when it is as the protocol has it."""
    if not received.is_upgraded:
        return "not accepted"
    if not set(received.kinds) <= {"welcome", "reset", "error", "events", "ping"}:
        return f"an unknown frame: {set(received.kinds)}"
    is_refused = received.close_code in REFUSAL_CLOSE_CODES
    if is_refused and received.kinds[-1:] != ["error"]:
        return "a 44xx close without its error frame"
    if "error" in received.kinds and not is_refused:
        return f"an error frame, then {received.close_code}"
    if not is_refused and received.close_code not in WEBSOCKET_ERROR_CLOSE_CODES | {1000, 0}:
        return f"closed with {received.close_code}"
    if must_be_refused(messages) and not is_refused and received.close_code not in WEBSOCKET_ERROR_CLOSE_CODES:
        return f"a bad frame was passed over, {received.close_code}"
    return ""


def must_be_refused(messages: Sequence[RawMessage]) -> bool:
    """Whether something in it is wrong for certain, and nothing below the protocol can end it first."""
    return any(is_invalid_message(one) for one in messages) and not any(isinstance(one, RawBytes) for one in messages)


def is_invalid_message(message: RawMessage) -> bool:
    """Whether a frame alone must be refused. Of raw bytes nobody can say: they may be half of something good."""
    if isinstance(message, RawBytes):
        return False
    if isinstance(message, bytes):
        return True
    try:
        parse_client_frame(message)
    except ValueError:
        return True
    return len(encode_message(message)) > 70_000


class Fuzzer:
    """Talks with a server, many at a time."""

    def __init__(self, port: int, path: str, hello: str) -> None:
        self.port, self.path, self.hello = port, path, hello
        self.report = FuzzReport()
        self._loop = asyncio.new_event_loop()
        self._pending: list[tuple[list[RawMessage], bool]] = []

    def add(self, messages: list[RawMessage], *, is_bytewise: bool) -> None:
        """One talk more; when enough are together, they are held."""
        self.report.conversations += 1
        self.report.frames += len(messages)
        self._pending.append(([self.hello if one == VALID_HELLO else one for one in messages], is_bytewise))
        if len(self._pending) >= CONVERSATIONS_PER_BATCH:
            self.flush()

    def flush(self) -> None:
        """Hold the talks that wait."""
        self._loop.run_until_complete(self._run_pending())
        self._pending = []

    async def _run_pending(self) -> None:
        places = asyncio.Semaphore(MAX_CONCURRENT_CONVERSATIONS)

        async def hold(said: list[RawMessage], in_drops: bool) -> None:
            async with places:
                await self._run_conversation(said, is_bytewise=in_drops)

        await asyncio.gather(*(hold(*talk) for talk in self._pending))

    async def _run_conversation(self, messages: list[RawMessage], *, is_bytewise: bool) -> None:
        is_short = sum(len(encode_message(one)) for one in messages) < 500
        try:
            heard = await run_raw_conversation(
                self.port,
                self.path,
                messages,
                is_bytewise=is_bytewise and is_short,
                sends_close=not must_be_refused(messages),
            )
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self.report.problems[repr(error)] += 1
            return
        self.report.close_codes[str(heard.close_code)] += 1
        wrong = find_conversation_problem(messages, heard)
        if wrong:
            self.report.problems[wrong] += 1
            if self.report.problems[wrong] <= MAX_LOGGED_PER_PROBLEM:
                log.print(f"{wrong}: {messages!r:.600} -> {heard.kinds} {heard.close_code}", markup=False)


def run_fuzzer(cluster: Cluster, rng: random.Random, count: int) -> FuzzReport:
    """So many frames, drawn by hypothesis from the seed."""
    with cluster.site.client() as client:
        accepted = client.post("/api/diagnoses", json=build_diagnosis_body(["held"])).json()
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    fuzzer = Fuzzer(cluster.site.port, accepted["socket_url"], json.dumps({"type": "hello", "v": 1, "token": token}))
    process, started = psutil.Process(cluster.server.process.pid), time.monotonic()
    memory_before = 0

    while fuzzer.report.frames < count:

        @seed(rng.randrange(2**31))
        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(drawn=conversations)
        def draw(drawn: list[tuple[list[RawMessage], bool]]) -> None:
            if fuzzer.report.frames < count:
                for said, in_drops in drawn:
                    fuzzer.add(said, is_bytewise=in_drops)

        draw()
        fuzzer.flush()
        memory_before = memory_before or process.memory_info().rss  # warm by now
    fuzzer.report.seconds = time.monotonic() - started
    fuzzer.report.growth_mib = (process.memory_info().rss - memory_before) / 2**20
    return fuzzer.report


def run_frame_scenario(rng: random.Random, *, count: int = DEFAULT_FRAME_COUNT) -> list[BenchmarkResult]:
    """Frames of every kind of wrong."""
    from bench.chaos.workload import add_fake_platforms
    from testing.fake_platform import FakePlatform, hold_response

    with FakePlatform() as fake, running_cluster(workers=0) as cluster:
        add_fake_platforms(cluster.site, fake, {"held": hold_response()})
        pid = cluster.server.process.pid
        report = run_fuzzer(cluster, rng, count)
        is_alive = cluster.server.process.pid == pid and cluster.server.process.is_running
        after = asyncio.run(
            run_raw_conversation(cluster.site.port, "/ws/nowhere/", ['{"type":"pong"}'], sends_close=False)
        )
        tracebacks = cluster.server.process.log.read_text(errors="replace").count("Traceback")
    endings = ", ".join(f"{code} {times}x" for code, times in report.close_codes.most_common())
    problems_text = "".join(f"; {what} {times}x" for what, times in report.problems.most_common(4))
    return [
        BenchmarkResult(
            f"{report.frames:,} fuzzed frames in {report.conversations:,} talks",
            "each answered, or an error frame and a 44xx close (below the protocol: RFC 6455's own)",
            f"{sum(report.problems.values())} wrong; closes: {endings}{problems_text}; {report.seconds:.0f} s",
            not report.problems and report.frames >= count,
        ),
        BenchmarkResult(
            "the server after them",
            f"the same process, no traceback, <= {MAX_GROWTH_MIB} MiB more",
            f"{'the same' if is_alive else 'another'} process, {tracebacks} tracebacks, "
            f"{report.growth_mib:.1f} MiB more, "
            f"closes an unknown address with {after.close_code}",
            is_alive and not tracebacks and report.growth_mib <= MAX_GROWTH_MIB and after.close_code == 4404,
        ),
    ]
