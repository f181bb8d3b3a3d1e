"""The socket of one follower: says hello, is authorised, follows. Everything else is the hub's."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from errors.codes import ErrorCode
from errors.exceptions import code_of
from errors.problems import problem
from errors.recording import record_problem
from progress import access, metrics
from progress.hub import hub
from progress.models import Stream
from progress.payloads import (
    MOST_CLIENT_FRAME_BYTES,
    MOST_CLIENT_FRAMES_PER_SECOND,
    MOST_UNHEARD_BYTES,
    VERSION,
    After,
    CloseCode,
    Hello,
    ServerFrame,
    parse_client_frame,
)
from progress.services import LogPage
from progress.signed_out import ensure_checking

log = structlog.get_logger(__name__)

_authenticate = database_sync_to_async(access.authenticate, thread_sensitive=False)
_session_user = database_sync_to_async(access.session_user, thread_sensitive=False)
_find_stream = database_sync_to_async(access.find_stream, thread_sensitive=False)
_tell_ended = database_sync_to_async(access.tell_ended, thread_sensitive=False)
_tellings: set[asyncio.Task[None]] = set()  # held here, or they could be collected half done

REASONS = {
    CloseCode.BAD_FRAME: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.UNAUTHORIZED: ErrorCode.UNAUTHORIZED,
    CloseCode.ORIGIN: ErrorCode.FORBIDDEN,
    CloseCode.NOT_FOUND: ErrorCode.DATA_NOT_FOUND,
    CloseCode.SILENT: ErrorCode.NETWORK_TIMEOUT,
    CloseCode.VERSION: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.TOO_BIG: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.TOO_FAST: ErrorCode.RATE_LIMITED,
    CloseCode.OUR_FAULT: ErrorCode.SERVER_ERROR,
    CloseCode.GOING_AWAY: ErrorCode.SERVICE_UNAVAILABLE,
}

open_sockets: "set[StreamConsumer]" = set()


class StreamConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`/ws/diagnosis/<stream>/`, see docs/reference/protocol.md."""

    channel_layer_alias = "none"  # the hub holds the process's one subscription

    epoch = ""
    cursor = 0
    stream: Stream | None = None
    is_owner = False
    proof: access.Proof | None = None
    is_over = False
    language: str | None = None
    request_id = ""
    _expires_at = 0.0
    _pinged_at = 0.0
    _heard_at = 0.0
    _window = (0, 0)  # the current second, frames in it
    _sent_bytes = 0
    _sent_bytes_at_ping = 0
    _heard_bytes = 0  # of those sent; a pong tells that all before its ping has arrived
    _room: asyncio.Event | None = None  # somebody waits for that
    _aside: asyncio.Task[None] | None = None  # what it does by itself: wait for the hello, ping, leave

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Whatever ends it, be it the server that kills it in mid-handler, the socket is forgotten."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._forget()

    async def _forget(self) -> None:
        self.is_over = True
        if self._aside:
            self._aside.cancel()
        if self in open_sockets:
            open_sockets.remove(self)
            metrics.sockets_open.dec()
        if self.stream:
            await hub().unfollow(self.stream.pk, self)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels' own goes to a thread first, at every frame, for handlers that use the database in the loop's."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Accept first, judge after: a refusal before accept would reach the client as a bare 403."""
        await self.accept()
        open_sockets.add(self)
        metrics.sockets_open.inc()
        metrics.sockets_opened.inc()
        headers = {name: value.decode("latin-1") for name, value in self.scope["headers"]}
        self.language = access.language_of(self.scope["cookies"], headers.get(b"accept-language", ""))
        self._trace(uuid.uuid4().hex)
        ensure_checking(open_sockets)
        if access.origin_is_allowed(headers.get(b"origin"), headers.get(b"host", "")):
            self._do_aside(self._wait_for_hello())
        else:
            await self.refuse(CloseCode.ORIGIN)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """One client frame. Whatever is wrong with it ends in an error frame and a 44xx close, never in a traceback."""
        size = len((text_data or "").encode("utf-8", "surrogatepass")) + len(bytes_data or b"")
        metrics.bytes_received.inc(size)
        self._heard_at = time.monotonic()
        if self.is_over:
            return
        if size > MOST_CLIENT_FRAME_BYTES:
            await self.refuse(CloseCode.TOO_BIG)
        elif self._is_too_fast():
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
            if isinstance(frame, Hello):
                await self._hello(frame)
            elif self.stream is None:
                await self.refuse(CloseCode.BAD_FRAME)
            elif isinstance(frame, After):
                self.cursor = frame.after
                hub().follow(self.stream, self)
            else:
                self._take_pong()
        except Exception as error:
            log.exception("socket_failed")
            await self.refuse(CloseCode.OUR_FAULT, code_of(error))

    def _is_too_fast(self) -> bool:
        second, count = self._window
        now = int(time.monotonic())
        self._window = (now, count + 1 if now == second else 1)
        return self._window[1] > MOST_CLIENT_FRAMES_PER_SECOND

    def _trace(self, request_id: str) -> None:
        self.request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)

    def _do_aside(self, action: Coroutine[Any, Any, None] | None) -> None:
        if self._aside:
            self._aside.cancel()
        self._aside = asyncio.create_task(action, name="socket_aside") if action else None

    async def _wait_for_hello(self) -> None:
        await asyncio.sleep(settings.HELLO_SECONDS)
        await self.refuse(CloseCode.SILENT)

    async def _hello(self, hello: Hello) -> None:
        if self.stream is None:
            self._do_aside(None)  # it came in time, however long we take over it
        if hello.v != VERSION:
            await self.refuse(CloseCode.VERSION)
            return
        signed_in = await self._sign_in(hello.token)
        if signed_in is None:
            await self.refuse(CloseCode.UNAUTHORIZED)
            return
        stream: Stream | None = await _find_stream(self.scope["url_route"]["kwargs"]["stream"], signed_in.user)
        if stream is None:
            await self.refuse(CloseCode.NOT_FOUND)
            return
        self._expires_at = signed_in.expires_at.timestamp() if signed_in.expires_at else float("inf")
        welcome: ServerFrame = {
            "type": "welcome",
            "v": VERSION,
            "epoch": stream.epoch,
            "last": stream.last_seq,
            "ping": settings.PING_SECONDS,
        }
        await self.send_frame(welcome)
        if self.stream is None:
            self.is_owner = signed_in.user.pk == stream.owner_id
            self._follow(stream, hello)

    async def _sign_in(self, token: str | None) -> access.SignedIn | None:
        if token is not None:
            found: access.SignedIn | None = await _authenticate(token)
            self.proof = access.Proof(token=token) if found else self.proof
            return found
        session_key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        user = await _session_user(session_key) if session_key else None
        if not user:
            return None
        self.proof = access.Proof(session=session_key)
        return access.SignedIn(user, None)

    def _follow(self, stream: Stream, hello: Hello) -> None:
        self._trace(stream.request_id or self.request_id)
        log.info("socket_greeted", stream=str(stream.pk), after=hello.after)
        self.stream = stream
        self.cursor = hello.after
        # Who has seen nothing yet has nothing to lose by another epoch.
        self.epoch = hello.epoch if hello.epoch and hello.after else stream.epoch
        self._heard_at = self._pinged_at = time.monotonic()
        hub().follow(stream, self)

    async def deliver(self, frames: Sequence[str]) -> None:
        """Send the frames, but never more ahead of the client than what it may leave unread."""
        for frame in frames:
            if self._sent_bytes - self._heard_bytes > MOST_UNHEARD_BYTES:
                await self._wait_until_heard()
            await self.send_text(frame)

    async def _wait_until_heard(self) -> None:
        """daphne takes whatever it is given, however slow the peer: only a pong tells that it reads."""
        while not self.is_over and self._sent_bytes - self._heard_bytes > MOST_UNHEARD_BYTES:
            self._room = asyncio.Event()
            if self._heard_at >= self._pinged_at:
                await self._ping()
            await self._room.wait()

    def _take_pong(self) -> None:
        self._heard_bytes = self._sent_bytes_at_ping
        if self._room:
            self._room.set()
            self._room = None

    async def reset(self, page: LogPage) -> None:
        """Tell the client that its cursor means nothing any more."""
        await self.send_frame({"type": "reset", "epoch": page.epoch, "last": page.last, "closed": page.is_closed})

    async def end(self) -> None:
        """The client has everything: say goodbye."""
        if not self.is_over:
            self.is_over = True
            # A task of its own: whoever hangs up now has seen the end all the same.
            told = asyncio.create_task(_tell_ended(self.stream.pk)) if self.is_owner and self.stream else None
            if told:
                _tellings.add(told)
                told.add_done_callback(_tellings.discard)
            await self._close(CloseCode.DONE)
            if told:
                await asyncio.shield(told)

    async def lose(self, error: Exception) -> None:
        """The stream has been deleted, or we have failed."""
        is_gone = isinstance(error, Stream.DoesNotExist)
        await self.refuse(CloseCode.NOT_FOUND if is_gone else CloseCode.OUR_FAULT)

    def tick(self) -> None:
        """Ping when it is time; give up a client that has not answered, or whose token has run out."""
        now = time.monotonic()
        is_answered = self._heard_at >= self._pinged_at
        if self.is_over:
            return
        if time.time() >= self._expires_at:
            self._do_aside(self.refuse(CloseCode.UNAUTHORIZED))
        elif not is_answered and now - self._pinged_at > settings.PONG_GRACE_SECONDS:
            self._do_aside(self.refuse(CloseCode.SILENT))
        elif is_answered and now - self._pinged_at >= settings.PING_SECONDS:
            self._do_aside(self._ping())

    def sign_out(self) -> None:
        """The token was revoked, the session ended, or the account switched off."""
        self._do_aside(self.refuse(CloseCode.UNAUTHORIZED))

    async def _ping(self) -> None:
        self._pinged_at, self._sent_bytes_at_ping = time.monotonic(), self._sent_bytes
        await self.send_frame({"type": "ping", "last": self.cursor})

    async def refuse(self, code: CloseCode, reason: ErrorCode | None = None) -> None:
        """Send the reason as an error frame, then close with the code."""
        if self.is_over:
            return
        self.is_over = True
        body = problem(
            reason or REASONS[code],
            locale=self.language,
            instance=self.scope["path"],
            request_id=self.request_id,
        )
        if code is not CloseCode.GOING_AWAY:  # leaving is no failure
            record_problem(body, place="socket", context={"close_code": int(code)})
        # A peer that takes nothing any more does not hold us up: the server drops it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.PONG_GRACE_SECONDS):
                await self._send(_encode({"type": "error", "problem": body}))
                await self._close(code)

    async def send_frame(self, frame: ServerFrame) -> None:
        """Send one typed frame."""
        await self.send_text(_encode(frame))

    async def send_text(self, text: str) -> None:
        """Send one serialised frame; to a socket that is over, nothing."""
        if not self.is_over:
            await self._send(text)

    async def _send(self, text: str) -> None:
        try:
            await self.base_send({"type": "websocket.send", "text": text})
        except (RuntimeError, OSError):  # the peer has left between two frames
            self.is_over = True
        else:
            size = len(text) if text.isascii() else len(text.encode())
            self._sent_bytes += size
            metrics.frames_sent.inc()
            metrics.bytes_sent.inc(size)

    async def _close(self, code: CloseCode) -> None:
        metrics.sockets_closed.labels(code=int(code)).inc()
        with contextlib.suppress(RuntimeError, OSError):  # the peer may have left already
            await self.close(code=int(code))


def _encode(frame: ServerFrame) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


class UnknownPathConsumer(StreamConsumer):
    """Any other address: accepted and refused with 4404, as an unknown stream is."""

    async def connect(self) -> None:
        """Refuse after accept, so that the client sees why."""
        await super().connect()
        await self.refuse(CloseCode.NOT_FOUND)


async def say_going_away() -> None:
    """Close every socket of this process with 4503, so that clients come back to its successor at once."""
    await asyncio.gather(*(consumer.refuse(CloseCode.GOING_AWAY) for consumer in list(open_sockets)))
