"""Fuzzed frames at the socket of a running server: each must be answered or rejected, and the process unaffected."""

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
from bench.chaos.scenario import ScenarioContext
from bench.chaos.workload import add_fake_platforms
from bench.harness import BenchmarkResult
from progress.frames import CloseCode, parse_client_frame
from testing.clients.raw_websocket import (
    RawBytes,
    ReceivedFrames,
    build_masked_frame,
    encode_message,
    run_raw_conversation,
)
from testing.data.frame_strategies import VALID_HELLO, client_frames
from testing.fakes.platform import FakePlatform, hold_response
from testing.invariants import build_diagnosis_body

MAX_MESSAGES_PER_CONVERSATION = 6
MAX_CONCURRENT_CONVERSATIONS = 150
# A batch takes as long as the server waits for the close of clients that cannot send one.
CONVERSATIONS_PER_BATCH = 2000
MAX_GROWTH_MIB = 40
MAX_LOGGED_PER_PROBLEM = 3

log = Console(stderr=True)
# What RFC 6455 prescribes for malformed framing, text that is not UTF-8, and oversized messages.
WEBSOCKET_ERROR_CLOSE_CODES = {1002, 1007, 1009}
REFUSAL_CLOSE_CODES = {int(code) for code in CloseCode} - {int(CloseCode.DONE), int(CloseCode.INTERNAL_ERROR)}

RawMessage = str | bytes | RawBytes

_unknown_opcode = st.builds(
    lambda opcode: RawBytes(struct.pack("!BB", 0x80 | opcode, 0x80) + b"\0\0\0\0"), st.sampled_from([3, 7, 11, 15])
)
_unmasked = st.builds(lambda text: RawBytes(b"\x81" + bytes([len(text)]) + text), st.binary(max_size=125))
_reserved_bits = st.builds(
    lambda bits: RawBytes(bytes([0x81 | bits, 0x80, 0, 0, 0, 0])), st.sampled_from([0x10, 0x20, 0x40, 0x70])
)
_oversized_frame = st.builds(
    lambda size: RawBytes(struct.pack("!BBQ", 0x81, 0xFF, size) + b"\0\0\0\0"), st.integers(2**17, 2**63)
)
_not_utf8 = st.builds(lambda junk: RawBytes(build_masked_frame(b"\xff" + junk, 1)), st.binary(max_size=100))
_long_ping = st.builds(lambda data: RawBytes(build_masked_frame(data, 9)), st.binary(min_size=126, max_size=300))
_random_bytes = st.builds(RawBytes, st.binary(min_size=1, max_size=200))
malformed_frames = st.one_of(
    _unknown_opcode, _unmasked, _reserved_bits, _oversized_frame, _not_utf8, _long_ping, _random_bytes
)
oversized_texts = st.builds(lambda size: "y" * size, st.sampled_from([4097, 20_000, 65_535, 65_537, 300_000]))
any_messages = st.one_of(*[client_frames] * 6, oversized_texts, malformed_frames)
conversations = st.lists(
    st.tuples(st.lists(any_messages, min_size=1, max_size=MAX_MESSAGES_PER_CONVERSATION), st.booleans()),
    min_size=8,
    max_size=8,
)


@dataclass
class FuzzReport:
    """Frames and conversations sent, close codes received, problems found, growth of the server."""

    frames: int = 0
    conversations: int = 0
    close_codes: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    growth_mib: float = 0.0


def find_conversation_problem(messages: Sequence[RawMessage], received: ReceivedFrames) -> str:
    """Describe how the end of a conversation violates the protocol; return "" if it does not."""
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
        return f"an invalid frame was ignored, {received.close_code}"
    return ""


def must_be_refused(messages: Sequence[RawMessage]) -> bool:
    """Tell whether a message is invalid for certain, and no raw bytes can end the connection before it."""
    return any(map(is_invalid_message, messages)) and not any(isinstance(message, RawBytes) for message in messages)


def is_invalid_message(message: RawMessage) -> bool:
    """Tell whether a message alone must be rejected; False for raw bytes, which may be half of a valid one."""
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
    """Runs conversations with a server, many at a time."""

    def __init__(self, port: int, path: str, hello: str) -> None:
        self.port, self.path, self.hello = port, path, hello
        self.report = FuzzReport()
        self._loop = asyncio.new_event_loop()
        self._pending: list[tuple[list[RawMessage], bool]] = []

    def add(self, messages: list[RawMessage], *, is_bytewise: bool) -> None:
        """Add a conversation, and run the pending ones if they fill a batch."""
        self.report.conversations += 1
        self.report.frames += len(messages)
        self._pending.append(([self.hello if message == VALID_HELLO else message for message in messages], is_bytewise))
        if len(self._pending) >= CONVERSATIONS_PER_BATCH:
            self.flush()

    def flush(self) -> None:
        """Run the pending conversations."""
        self._loop.run_until_complete(self._run_pending())
        self._pending = []

    async def _run_pending(self) -> None:
        slots = asyncio.Semaphore(MAX_CONCURRENT_CONVERSATIONS)

        async def run(messages: list[RawMessage], is_bytewise: bool) -> None:
            async with slots:
                await self._run_conversation(messages, is_bytewise=is_bytewise)

        await asyncio.gather(*(run(*conversation) for conversation in self._pending))

    async def _run_conversation(self, messages: list[RawMessage], *, is_bytewise: bool) -> None:
        is_short = sum(len(encode_message(message)) for message in messages) < 500
        try:
            received = await run_raw_conversation(
                self.port,
                self.path,
                messages,
                is_bytewise=is_bytewise and is_short,
                sends_close=not must_be_refused(messages),
            )
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self.report.problems[repr(error)] += 1
            return
        self.report.close_codes[str(received.close_code)] += 1
        problem = find_conversation_problem(messages, received)
        if problem:
            self.report.problems[problem] += 1
            if self.report.problems[problem] <= MAX_LOGGED_PER_PROBLEM:
                log.print(f"{problem}: {messages!r:.600} -> {received.kinds} {received.close_code}", markup=False)


def _run_fuzzer(cluster: Cluster, rng: random.Random, count: int) -> FuzzReport:
    with cluster.site.client() as client:
        accepted = client.post("/api/diagnoses", json=build_diagnosis_body(["held"])).json()
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    fuzzer = Fuzzer(cluster.site.port, accepted["socket_url"], json.dumps({"type": "hello", "v": 1, "token": token}))
    process, began = psutil.Process(cluster.server.process.pid), time.monotonic()
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
        def add_conversations(drawn: list[tuple[list[RawMessage], bool]]) -> None:
            if fuzzer.report.frames < count:
                for messages, is_bytewise in drawn:
                    fuzzer.add(messages, is_bytewise=is_bytewise)

        add_conversations()
        fuzzer.flush()
        memory_before = memory_before or process.memory_info().rss  # after the first round the server is warm
    fuzzer.report.seconds = time.monotonic() - began
    fuzzer.report.growth_mib = (process.memory_info().rss - memory_before) / 2**20
    return fuzzer.report


def run_frame_scenario(context: ScenarioContext) -> list[BenchmarkResult]:
    """Send `size.frames` frames, generated by hypothesis from the seed."""
    with FakePlatform() as fake, running_cluster(workers=0) as cluster:
        add_fake_platforms(cluster.site, fake, {"held": hold_response()})
        pid = cluster.server.process.pid
        report = _run_fuzzer(cluster, context.rng, context.size.frames)
        is_same = cluster.server.process.pid == pid and cluster.server.process.is_running
        after = asyncio.run(
            run_raw_conversation(cluster.site.port, "/ws/nowhere/", ['{"type":"pong"}'], sends_close=False)
        )
        tracebacks = cluster.server.process.log.read_text(errors="replace").count("Traceback")
    codes_text = ", ".join(f"{code} {times}x" for code, times in report.close_codes.most_common())
    problems_text = "".join(f"; {problem} {times}x" for problem, times in report.problems.most_common(4))
    return [
        BenchmarkResult(
            f"{report.frames:,} fuzzed frames in {report.conversations:,} conversations",
            "each answered, or an error frame and a 44xx close (below the protocol: as RFC 6455 requires)",
            f"{report.problems.total()} problems; close codes: {codes_text}{problems_text}; {report.seconds:.0f} s",
            not report.problems and report.frames >= context.size.frames,
        ),
        BenchmarkResult(
            "the server after them",
            f"the same process, no traceback, <= {MAX_GROWTH_MIB} MiB more",
            f"{'the same' if is_same else 'another'} process, {tracebacks} tracebacks, "
            f"{report.growth_mib:.1f} MiB more, closes an unknown path with {after.close_code}",
            is_same and not tracebacks and report.growth_mib <= MAX_GROWTH_MIB and after.close_code == 4404,
        ),
    ]
