"""A fake AI platform: OpenAI's chat completions over a raw socket, with any behaviour, valid or faulty.

    with FakePlatform() as fake:
        site.add_platform("fake", fake.base_url)
        fake.set_behaviour(respond_with_error(429), respond_with_answer("山岚不错"), model="fake")
        ...
        assert fake.count(model="fake") == 2

It serves in a thread of the test's process and records every call: its content, times, and the concurrency.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from testing.services import wait_until


@dataclass
class Call:
    """A recorded call. `outcome` is "answered", or "dropped" if the caller disconnected before the end."""

    model: str
    question: str
    key: str
    body: dict[str, Any]
    headers: dict[str, str]
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""


class Exchange:
    """One request, and methods to respond to it."""

    def __init__(self, fake: "FakePlatform", call: Call, writer: asyncio.StreamWriter) -> None:
        self.fake = fake
        self.call = call
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def respond(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """Respond to a call; `length` overrides the Content-Length."""
        if length is None:
            # Before sending: the caller may receive it and make its next call before this thread runs again.
            self.fake.record_end(self.call, "answered")
        await self.write(status, body, headers, length=length)

    async def write(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """Write a response without recording the end of a call."""
        all_headers = {
            "Content-Type": "application/json",
            **(headers or {}),
            "Content-Length": str(len(body) if length is None else length),
        }
        head = f"HTTP/1.1 {status} Said So\r\n" + "".join(f"{name}: {all_headers[name]}\r\n" for name in all_headers)
        await self.send(head.encode() + b"\r\n" + body)

    def hang_up(self) -> None:
        """Close the connection."""
        self._writer.close()

    def reset(self) -> None:
        """Reset the connection."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Behaviour = Callable[[Exchange], Awaitable[None]]


def build_completion(
    content: str | None,
    *,
    model: str = "fake",
    finish_reason: str = "stop",
    reasoning: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Build the body of a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    } | extra


def _json_bytes(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def respond_with_answer(text: str | None = None, *, delay_seconds: float | Callable[[], float] = 0.0) -> Behaviour:
    """Answer after so many seconds; without a text, with one that contains the question."""

    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(delay_seconds() if callable(delay_seconds) else delay_seconds)
        call = exchange.call
        content = f"关于“{call.question}”的回答。" if text is None else text
        await exchange.respond(200, _json_bytes(build_completion(content, model=call.model)))

    return behave


def hold_response(text: str | None = None) -> Behaviour:
    """Answer after `FakePlatform.release`."""

    async def behave(exchange: Exchange) -> None:
        await exchange.fake.wait_for_release()
        await respond_with_answer(text)(exchange)

    return behave


def respond_with(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Respond with this status, body (str and bytes are sent as they are, all else as JSON) and headers."""

    async def behave(exchange: Exchange) -> None:
        raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else _json_bytes(body)
        await exchange.respond(status, raw, headers)

    return behave


def respond_with_error(status: int, body: Any = "", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Respond with an error status."""
    return respond_with(body, status=status, headers=headers)


def respond_with_error_in_200(error: Mapping[str, Any]) -> Behaviour:
    """Respond with 200 and `{"error": ...}` instead of choices."""
    return respond_with({"error": error})


def respond_with_html() -> Behaviour:
    """Respond with 200 and an HTML page, like a proxy or a captive portal."""
    return respond_with("<html><body>系统维护中</body></html>", headers={"Content-Type": "text/html; charset=utf-8"})


def respond_with_invalid_json() -> Behaviour:
    """Respond with 200 and truncated JSON."""
    return respond_with('{"id": "chatcmpl-1", "choices": [{"index": 0, "mess')


def respond_with_empty_text() -> Behaviour:
    """Respond with a completion without text."""
    return respond_with(build_completion(""))


def respond_without_choices() -> Behaviour:
    """Respond with a completion without choices."""
    return respond_with(build_completion(None) | {"choices": []})


def respond_filtered(finish_reason: str = "content_filter", text: str = "") -> Behaviour:
    """Respond with a filtered completion; the reason is `content_filter`, at 智谱 `sensitive`."""
    return respond_with(build_completion(text, finish_reason=finish_reason))


def respond_with_reasoning_only(text: str = "让我想想") -> Behaviour:
    """Respond with a completion that contains only reasoning."""
    return respond_with(build_completion("", reasoning=text))


def reset_connection() -> Behaviour:
    """Reset the connection instead of responding."""

    async def behave(exchange: Exchange) -> None:
        exchange.reset()

    return behave


def respond_with_truncated_body() -> Behaviour:
    """Disconnect in the middle of the body."""

    async def behave(exchange: Exchange) -> None:
        body = _json_bytes(build_completion("这个回答只说了一半"))
        await exchange.respond(200, body[: len(body) // 2], length=len(body))
        exchange.hang_up()

    return behave


def respond_slowly(text: str = "一个字节一个字节地说", *, interval_seconds: float = 0.05) -> Behaviour:
    """Answer a byte at a time: no read times out, but the whole takes long."""

    async def behave(exchange: Exchange) -> None:
        body = _json_bytes(build_completion(text))
        await exchange.respond(200, b"", length=len(body))
        for byte in body:
            await asyncio.sleep(interval_seconds)
            await exchange.send(bytes([byte]))

    return behave


@dataclass
class _BehaviourQueue:
    """Behaviours of the next calls in order; the last one is repeated."""

    steps: deque[Behaviour]

    def next(self) -> Behaviour:
        return self.steps.popleft() if len(self.steps) > 1 else self.steps[0]


@dataclass
class FakePlatform:
    """The server. `calls`, `in_flight` and `max_in_flight` cover its whole life."""

    calls: list[Call] = field(default_factory=list)
    in_flight: Counter[str] = field(default_factory=Counter)
    """Open calls by model."""
    max_in_flight: Counter[str] = field(default_factory=Counter)
    """The largest number of open calls by model."""

    def __post_init__(self) -> None:
        self._behaviours: dict[tuple[str | None, str | None], _BehaviourQueue] = {
            (None, None): _BehaviourQueue(deque([respond_with_answer()]))
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-platform", daemon=True)
        self._released = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()
        self.port = 0

    def __enter__(self) -> "FakePlatform":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def base_url(self) -> str:
        """The `base_url` for a Platform row."""
        return f"http://127.0.0.1:{self.port}/v1"

    def set_behaviour(self, *behaviours: Behaviour, model: str | None = None, question: str | None = None) -> None:
        """Set the behaviours of the next calls; the last one is repeated.

        The most specific setting applies: model and question, then question, then model, then all.
        """
        with self._lock:
            self._behaviours[model, question] = _BehaviourQueue(deque(behaviours))

    def release(self) -> None:
        """Answer all held calls, and do not hold later ones."""
        self._loop.call_soon_threadsafe(self._released.set)

    def hold_new_calls(self) -> None:
        """Hold later calls again after a release."""
        self._loop.call_soon_threadsafe(self._released.clear)

    async def wait_for_release(self) -> None:
        """Return after `release`."""
        await self._released.wait()

    def count(self, *, model: str | None = None, question: str | None = None, key: str | None = None) -> int:
        """Count the calls with this model, question and key."""
        filters = (model, question, key)
        calls = [(call.model, call.question, call.key) for call in list(self.calls)]
        return sum(all(f in (None, value) for f, value in zip(filters, call, strict=True)) for call in calls)

    def count_by_question(self) -> Counter[tuple[str, str]]:
        """Count the calls by (model, question)."""
        return Counter((call.model, call.question) for call in list(self.calls))

    def wait_for_calls(self, at_least: int, *, seconds: float = 180, **kind: str) -> None:
        """Return once so many calls (see `count`) were made. Raises TimeoutError."""
        wait_until(lambda: self.count(**kind) >= at_least, f"{at_least} calls at the platform", seconds)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._serve_call(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        call = _parse_call(headers, json.loads(body) if body else {})
        exchange = Exchange(self, call, writer)
        if not path.endswith("/chat/completions"):
            await exchange.write(404, b'{"error": {"message": "no such path"}}')
            return
        self._record_start(call)
        outcome = "dropped"
        try:
            outcome = await self._run_behaviour(exchange, reader)
        finally:
            self.record_end(call, outcome)

    def _record_start(self, call: Call) -> None:
        self.calls.append(call)
        self.in_flight[call.model] += 1
        self.max_in_flight[call.model] = max(self.max_in_flight[call.model], self.in_flight[call.model])

    def record_end(self, call: Call, outcome: str) -> None:
        """Record the first outcome of a call."""
        if call.ended_at is None:
            call.outcome, call.ended_at = outcome, datetime.now(UTC)
            self.in_flight[call.model] -= 1

    async def _run_behaviour(self, exchange: Exchange, reader: asyncio.StreamReader) -> str:
        """Run the behaviour until the caller disconnects: before the response it can send nothing but its end."""
        responding = asyncio.ensure_future(self._next_behaviour(exchange.call)(exchange))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([responding, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not responding.done():
                exchange.hang_up()
                return "dropped"
            await responding
            return "answered"
        finally:
            for task in (responding, leaving):
                task.cancel()
            await asyncio.gather(responding, leaving, return_exceptions=True)

    def _next_behaviour(self, call: Call) -> Behaviour:
        with self._lock:
            for key in ((call.model, call.question), (None, call.question), (call.model, None)):
                if key in self._behaviours:
                    return self._behaviours[key].next()
            return self._behaviours[None, None].next()


def _parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """Return the path, and the headers by lower-case name."""
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first.split(" ")[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _parse_call(headers: dict[str, str], body: dict[str, Any]) -> Call:
    key = headers.get("authorization", "").removeprefix("Bearer ")
    questions = [message["content"] for message in body.get("messages", []) if message["role"] == "user"]
    question = questions[-1] if questions else ""
    return Call(str(body.get("model")), question, key, body, headers, datetime.now(UTC))
