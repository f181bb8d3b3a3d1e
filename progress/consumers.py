"""The WebSocket of a stream: it authenticates, authorizes and subscribes; the hub delivers the events."""

import asyncio
import contextlib
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from errors.codes import ErrorCode
from errors.exceptions import get_error_code
from errors.problems import build_problem
from errors.recording import record_problem
from progress import access, metrics
from progress.frames import (
    ERROR_CODES_BY_CLOSE_CODE,
    MAX_CLIENT_FRAME_BYTES,
    MAX_CLIENT_FRAMES_PER_SECOND,
    MAX_CLIENT_REQUESTS,
    MAX_UNACKNOWLEDGED_BYTES,
    PROTOCOL_VERSION,
    CloseCode,
    HelloFrame,
    PongFrame,
    ServerFrame,
    encode_frame,
    parse_client_frame,
)
from progress.hub.hub import get_hub
from progress.models import Stream
from progress.revocation import ensure_revocation_check
from progress.services import LogPage

log = structlog.get_logger(__name__)

_authenticate_token = database_sync_to_async(access.authenticate_token, thread_sensitive=False)
_get_session_user = database_sync_to_async(access.get_session_user, thread_sensitive=False)
_find_stream = database_sync_to_async(access.find_stream, thread_sensitive=False)
_notify_stream_ended = database_sync_to_async(access.notify_stream_ended, thread_sensitive=False)
_stream_ended_tasks: set[asyncio.Task[None]] = set()  # referenced, so that they are not garbage-collected

open_sockets: "set[StreamConsumer]" = set()
_counts_by_user: Counter[int] = Counter()  # sockets after their hello
_counts_by_address: Counter[str] = Counter()


class StreamConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Serves `/ws/diagnosis/<stream>/`; see docs/reference/protocol.md."""

    channel_layer_alias = "none"  # the hub has the only subscription of the process

    epoch = ""
    cursor = 0
    stream: Stream | None = None
    user_id: int | None = None
    address: str | None = None
    is_owner = False
    credential: access.Credential | None = None
    is_closing = False
    language: str | None = None
    request_id = ""
    _is_origin_allowed = False
    _expires_at = 0.0
    _last_ping_at = 0.0
    _last_received_at = 0.0
    _rate_window = (0, 0)  # the current second, frames in it
    _requests_left = float(MAX_CLIENT_REQUESTS)
    _last_request_at = 0.0
    _nonce = ""  # of the ping that has no pong yet
    _sent_bytes = 0
    _sent_bytes_at_ping = 0
    _acknowledged_bytes = 0  # confirmed by a pong: everything sent before its ping has arrived
    _acknowledged: asyncio.Event | None = None  # set by the next pong, while a delivery waits for it
    _background_task: asyncio.Task[None] | None = None  # waits for the hello, pings or refuses

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Clean up however the socket ends, also when the server cancels it within a handler."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.is_closing = True
            self._uncount_user()
            if self.address is not None:
                _decrement(_counts_by_address, self.address)
            if self._background_task:
                self._background_task.cancel()
            if self in open_sockets:
                open_sockets.remove(self)
                metrics.stream_sockets_open.dec()
            if self.stream:
                await get_hub().unsubscribe(self.stream.pk, self)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler directly: Channels uses a thread for each frame, to close database connections."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Accept before any check: a refusal before accept would reach the client as a bare 403."""
        await self.accept()
        open_sockets.add(self)
        metrics.stream_sockets_open.inc()
        metrics.sockets_opened.inc()
        headers = {name: value.decode("latin-1") for name, value in self.scope["headers"]}
        self.language = access.negotiate_language(self.scope["cookies"], headers.get(b"accept-language", ""))
        self._bind_request_id(uuid.uuid4().hex)
        if not self._count_for_address():
            await self.refuse(CloseCode.TOO_FAST)
            return
        ensure_revocation_check(open_sockets)
        self._is_origin_allowed = access.is_origin_allowed(headers.get(b"origin"), headers.get(b"host", ""))
        log.info("socket_opened", **access.describe_client(headers))
        self._replace_background_task(self._wait_for_hello())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle a client frame. An invalid one is answered by an error frame and a 44xx close."""
        size = len((text_data or "").encode("utf-8", "surrogatepass")) + len(bytes_data or b"")
        metrics.bytes_received.inc(size)
        if self.is_closing:
            return
        if size > MAX_CLIENT_FRAME_BYTES:
            await self.refuse(CloseCode.TOO_BIG)
            return
        second, count = self._rate_window
        now = int(time.monotonic())
        self._rate_window = (now, count + 1 if now == second else 1)
        if self._rate_window[1] > MAX_CLIENT_FRAMES_PER_SECOND:
            await self.refuse(CloseCode.TOO_FAST)
        else:
            await self._handle_frame(text_data or "")

    async def _handle_frame(self, text: str) -> None:
        try:
            frame = parse_client_frame(text)
        except ValueError:
            await self.refuse(CloseCode.BAD_FRAME)
            return
        try:
            if isinstance(frame, PongFrame):
                await self._handle_pong(frame)
            elif not self._take_request():
                await self.refuse(CloseCode.TOO_FAST)
            elif isinstance(frame, HelloFrame):
                await self._handle_hello(frame)
            elif self.stream is None:
                await self.refuse(CloseCode.BAD_FRAME)
            else:
                self.cursor = frame.after
                get_hub().subscribe(self.stream, self)
        except Exception as error:
            log.exception("socket_failed")
            await self.refuse(CloseCode.INTERNAL_ERROR, get_error_code(error))

    def _take_request(self) -> bool:
        """Count a hello or after frame; return False if there were too many."""
        now = time.monotonic()
        self._last_received_at = now
        self._requests_left = min(MAX_CLIENT_REQUESTS, self._requests_left + now - self._last_request_at)
        self._last_request_at = now
        self._requests_left -= 1
        return self._requests_left >= 0

    async def _handle_pong(self, pong: PongFrame) -> None:
        if self.stream is None:
            await self.refuse(CloseCode.BAD_FRAME)
            return
        if pong.nonce is None:  # an earlier client: it is there, but only the connection tells whether it reads
            self._last_received_at = time.monotonic()
            is_acknowledgement = access.is_write_buffer_empty(self.scope)
        else:
            is_acknowledgement = bool(self._nonce) and secrets.compare_digest(pong.nonce.encode(), self._nonce.encode())
        if is_acknowledgement:
            self._last_received_at, self._nonce = time.monotonic(), ""
            self._acknowledged_bytes = self._sent_bytes_at_ping
            if self._acknowledged:
                self._acknowledged.set()
                self._acknowledged = None

    def _bind_request_id(self, request_id: str) -> None:
        self.request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)

    def _replace_background_task(self, coro: Coroutine[Any, Any, None] | None) -> None:
        if self._background_task:
            self._background_task.cancel()
        self._background_task = asyncio.create_task(coro, name="socket_aside") if coro else None

    async def _wait_for_hello(self) -> None:
        await asyncio.sleep(settings.HELLO_SECONDS)
        await self.refuse(CloseCode.CLIENT_TIMEOUT)

    async def _handle_hello(self, hello: HelloFrame) -> None:
        if self.stream is None:
            self._replace_background_task(None)  # the hello is in time, however long it takes to handle
        if hello.v != PROTOCOL_VERSION:
            await self.refuse(CloseCode.UNSUPPORTED_VERSION)
            return
        if hello.token is None and not self._is_origin_allowed:
            await self.refuse(CloseCode.ORIGIN_NOT_ALLOWED)
            return
        authenticated = await self._authenticate_hello(hello.token)
        if authenticated is None:
            await self.refuse(CloseCode.UNAUTHORIZED)
            return
        if not self._count_for_user(authenticated.user.pk):
            await self.refuse(CloseCode.TOO_FAST)
            return
        stream: Stream | None = await _find_stream(self.scope["url_route"]["kwargs"]["stream"], authenticated.user)
        if stream is None:
            await self.refuse(CloseCode.NOT_FOUND)
            return
        self._expires_at = authenticated.expires_at.timestamp() if authenticated.expires_at else float("inf")
        welcome: ServerFrame = {
            "type": "welcome",
            "v": PROTOCOL_VERSION,
            "epoch": stream.epoch,
            "last": stream.last_seq,
            "ping": settings.PING_SECONDS,
        }
        await self.send_frame(welcome)
        if self.stream is None:
            self.is_owner = authenticated.user.pk == stream.owner_id
            self._subscribe(stream, hello)

    def _count_for_address(self) -> bool:
        """Count this socket as one of its client's address; return False if that has too many in this process."""
        address = access.get_client_address(self.scope)
        if 0 < settings.SOCKETS_PER_ADDRESS <= _counts_by_address[address]:
            return False
        self.address = address
        _counts_by_address[address] += 1
        return True

    def _count_for_user(self, user_id: int) -> bool:
        """Count this socket as one of the user's; return False if they have too many in this process."""
        if self.user_id != user_id:
            if 0 < settings.SOCKETS_PER_ACCOUNT <= _counts_by_user[user_id]:
                return False
            self._uncount_user()
            self.user_id = user_id
            _counts_by_user[user_id] += 1
        return True

    def _uncount_user(self) -> None:
        if self.user_id is not None:
            _decrement(_counts_by_user, self.user_id)
            self.user_id = None

    async def _authenticate_hello(self, token: str | None) -> access.AuthenticatedUser | None:
        if token is not None:
            authenticated: access.AuthenticatedUser | None = await _authenticate_token(token)
            self.credential = access.Credential(token=token) if authenticated else self.credential
            return authenticated
        session_key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        user = await _get_session_user(session_key) if session_key else None
        if not user:
            return None
        self.credential = access.Credential(session_key=session_key)
        return access.AuthenticatedUser(user, None)

    def _subscribe(self, stream: Stream, hello: HelloFrame) -> None:
        self._bind_request_id(stream.request_id or self.request_id)
        log.info("socket_greeted", stream=str(stream.pk), after=hello.after)
        self.stream = stream
        self.cursor = hello.after
        # A client that has received nothing needs no reset when the epoch is another.
        self.epoch = hello.epoch if hello.epoch and hello.after else stream.epoch
        self._last_received_at = self._last_ping_at = time.monotonic()
        get_hub().subscribe(stream, self)

    async def deliver(self, frames: Sequence[str]) -> None:
        """Send the frames, at most MAX_UNACKNOWLEDGED_BYTES ahead of what the client has confirmed."""
        for frame in frames:
            if self._sent_bytes - self._acknowledged_bytes > MAX_UNACKNOWLEDGED_BYTES:
                await self._wait_for_acknowledgement()
            await self.send_text(frame)

    async def _wait_for_acknowledgement(self) -> None:
        """Proxies and kernels buffer much, however slow the client; only a pong confirms that it reads."""
        while not self.is_closing and self._sent_bytes - self._acknowledged_bytes > MAX_UNACKNOWLEDGED_BYTES:
            self._acknowledged = asyncio.Event()
            if self._last_received_at >= self._last_ping_at:
                await self._ping()
            await self._acknowledged.wait()

    async def reset(self, page: LogPage) -> None:
        """Tell the client that its cursor is invalid."""
        await self.send_frame({"type": "reset", "epoch": page.epoch, "last": page.last_seq, "closed": page.is_closed})

    async def end(self) -> None:
        """Close normally: the client has received everything."""
        if not self.is_closing:
            self.is_closing = True
            notify_task = None
            if self.is_owner and self.stream:
                # In its own task: it must finish even if the client disconnects now.
                notify_task = asyncio.create_task(_notify_stream_ended(self.stream.pk))
                _stream_ended_tasks.add(notify_task)
                notify_task.add_done_callback(_stream_ended_tasks.discard)
            await self._close(CloseCode.DONE)
            if notify_task:
                await asyncio.shield(notify_task)

    async def fail(self, error: Exception) -> None:
        """Refuse: the stream has been deleted, or delivery has failed."""
        is_gone = isinstance(error, Stream.DoesNotExist)
        await self.refuse(CloseCode.NOT_FOUND if is_gone else CloseCode.INTERNAL_ERROR)

    def on_tick(self) -> None:
        """Ping if it is due; refuse a client that has not answered or whose token has expired."""
        now = time.monotonic()
        is_ping_answered = self._last_received_at >= self._last_ping_at
        if self.is_closing:
            return
        if time.time() >= self._expires_at:
            self._replace_background_task(self.refuse(CloseCode.UNAUTHORIZED))
        elif not is_ping_answered and now - self._last_ping_at > settings.PONG_GRACE_SECONDS:
            self._replace_background_task(self.refuse(CloseCode.CLIENT_TIMEOUT))
        elif is_ping_answered and now - self._last_ping_at >= settings.PING_SECONDS:
            self._replace_background_task(self._ping())

    def close_revoked(self) -> None:
        """Close because the token was revoked, the session has ended or the account was deactivated."""
        self._replace_background_task(self.refuse(CloseCode.UNAUTHORIZED))

    def close_hidden(self) -> None:
        """Close because the user was removed from the workspace of the diagnosis."""
        self._replace_background_task(self.refuse(CloseCode.NOT_FOUND))

    @property
    def subscription(self) -> access.Subscription | None:
        """The user and the stream that they follow."""
        return access.Subscription(self.user_id, self.stream.pk) if self.user_id and self.stream else None

    async def _ping(self) -> None:
        self._last_ping_at, self._sent_bytes_at_ping = time.monotonic(), self._sent_bytes
        self._nonce = secrets.token_urlsafe(6)
        second, count = self._rate_window
        self._rate_window = (second, count - 1)  # its pong does not count
        await self.send_frame({"type": "ping", "last": self.cursor, "nonce": self._nonce})

    async def refuse(self, code: CloseCode, reason: ErrorCode | None = None) -> None:
        """Send the reason as an error frame, then close with the code."""
        if self.is_closing:
            return
        self.is_closing = True
        body = build_problem(
            reason or ERROR_CODES_BY_CLOSE_CODE[code],
            locale=self.language,
            instance=self.scope["path"],
            request_id=self.request_id,
        )
        if code is not CloseCode.GOING_AWAY:  # a shutdown is not an error
            record_problem(body, place="socket", context={"close_code": int(code)})
        # A client that does not read must not block; the server drops it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.PONG_GRACE_SECONDS):
                await self._send(encode_frame({"type": "error", "problem": body}))
                await self._close(code)

    async def send_frame(self, frame: ServerFrame) -> None:
        await self.send_text(encode_frame(frame))

    async def send_text(self, text: str) -> None:
        """Send a serialized frame, unless the socket is closing."""
        if not self.is_closing:
            await self._send(text)

    async def _send(self, text: str) -> None:
        try:
            await self.base_send({"type": "websocket.send", "text": text})
        except (RuntimeError, OSError):  # the client has disconnected between two frames
            self.is_closing = True
        else:
            size = len(text) if text.isascii() else len(text.encode())
            self._sent_bytes += size
            metrics.frames_sent.inc()
            metrics.bytes_sent.inc(size)

    async def _close(self, code: CloseCode) -> None:
        metrics.sockets_closed.labels(code=int(code)).inc()
        with contextlib.suppress(RuntimeError, OSError):  # the client may have disconnected
            await self.close(code=int(code))


class UnknownPathConsumer(StreamConsumer):
    """Serves all other paths: accepts and refuses with 4404, as for an unknown stream."""

    async def connect(self) -> None:
        await super().connect()
        await self.refuse(CloseCode.NOT_FOUND)


def _decrement(counts: Counter[Any], key: Any) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


async def close_all_sockets() -> None:
    """Close every socket of this process with 4503, so that clients reconnect to another process at once."""
    await asyncio.gather(*(consumer.refuse(CloseCode.GOING_AWAY) for consumer in list(open_sockets)))
