"""Reads of the log for everybody at once: what waits when a read begins is one query, whoever asked for it."""

import asyncio
import contextlib
import contextvars
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

import orjson
import structlog
from django.db import connection

from progress.models import Stream
from progress.services import EventEntry, LogPage, read_logs

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES = 60 * 1024
MAX_STREAMS_PER_READ = 250  # so that no read keeps the event loop from the sockets for more than a few milliseconds
MIN_READ_INTERVAL_SECONDS = 0.005  # so that what comes meanwhile shares one; what comes after a pause does not wait
MAX_CONCURRENT_READS = 2  # while what one has brought is delivered, the database works on the other


@dataclass(frozen=True, slots=True)
class SerializedPage:
    """The log behind a cursor, serialised: `reach` is the last entry of the frames, the cursor itself without any."""

    log_page: LogPage
    frames: list[str]
    end_cursor: int


PageCallback = Callable[[SerializedPage | Exception], None]


def encode_frames(entries: Sequence[EventEntry]) -> Iterator[str]:
    """`events` frames of at most 60 KiB that carry the entries in order."""
    batch: list[bytes] = []
    size = 0
    for entry in entries:
        text = orjson.dumps(entry)
        if batch and size + len(text) + 1 > MAX_FRAME_BYTES:
            yield _encode_events_frame(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield _encode_events_frame(batch)


def _encode_events_frame(entries: list[bytes]) -> str:
    return (b'{"type":"events","e":[' + b",".join(entries) + b"]}").decode()


def read_pages(cursors: Sequence[tuple[uuid.UUID, int]]) -> list[SerializedPage | None]:
    """The log behind each (stream, cursor), None where there is no such stream."""
    return [_serialize_page(page, after) for page, (_, after) in zip(read_logs(cursors), cursors, strict=True)]


def _serialize_page(page: LogPage | None, after: int) -> SerializedPage | None:
    if page is None:
        return None
    return SerializedPage(page, list(encode_frames(page.entries)), page.entries[-1][0] if page.entries else after)


StreamCursors = list[tuple[uuid.UUID, int]]
ReadJob = tuple[StreamCursors, asyncio.Future[Sequence[SerializedPage | Exception]]]


class LogReader:
    """Reads for all topics and followers of an event loop, and hands each its page.

    In threads of its own that keep their connection: to fetch one for every read would cost more than the read.
    """

    def __init__(self) -> None:
        self._callbacks: dict[tuple[uuid.UUID, int], list[PageCallback]] = {}
        self._has_requests = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: SimpleQueue[ReadJob | None] = SimpleQueue()
        self._next_read_at = 0.0

    def start(self) -> None:
        """Begin to read. In contexts of its own: it works for everybody, not for the request that was first."""
        self._jobs = SimpleQueue()
        self._tasks = [
            asyncio.create_task(self._run_read_loop(), name="log_reader", context=contextvars.Context())
            for _ in range(MAX_CONCURRENT_READS)
        ]
        for _ in range(MAX_CONCURRENT_READS):
            threading.Thread(target=_run_reader_thread, args=[self._jobs], name="log_reader", daemon=True).start()

    def stop(self) -> None:
        """End; whoever still waits is told nothing any more."""
        for task in self._tasks:
            task.cancel()
            self._jobs.put(None)
        self._tasks = []

    def request(self, stream_id: uuid.UUID, after: int, callback: PageCallback) -> None:
        """Have `take` called, once, with the page or with the exception that reading it has raised."""
        self._callbacks.setdefault((stream_id, after), []).append(callback)
        self._has_requests.set()

    async def read(self, stream_id: uuid.UUID, after: int) -> SerializedPage:
        """The log behind a cursor. Raises Stream.DoesNotExist, or django.db.Error when the database is away."""
        future: asyncio.Future[SerializedPage] = asyncio.get_running_loop().create_future()

        def set_page(page: SerializedPage | Exception) -> None:
            if future.done():  # cancelled meanwhile
                return
            if isinstance(page, Exception):
                future.set_exception(page)
            else:
                future.set_result(page)

        self.request(stream_id, after, set_page)
        return await future

    async def _run_read_loop(self) -> None:
        while True:
            await self._has_requests.wait()
            await self._wait_for_interval()
            keys = list(self._callbacks)[:MAX_STREAMS_PER_READ]
            callbacks = [self._callbacks.pop(key) for key in keys]
            if not self._callbacks:
                self._has_requests.clear()
            if keys:
                future: asyncio.Future[Sequence[SerializedPage | Exception]] = (
                    asyncio.get_running_loop().create_future()
                )
                self._jobs.put((keys, future))
                _dispatch(callbacks, await future)
            await asyncio.sleep(0)

    async def _wait_for_interval(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._next_read_at - loop.time()) > 0:  # noqa: ASYNC110 - the other reader may have been faster
            await asyncio.sleep(wait)
        self._next_read_at = loop.time() + MIN_READ_INTERVAL_SECONDS


def _run_reader_thread(jobs: "SimpleQueue[ReadJob | None]") -> None:
    while job := jobs.get():
        cursors, future = job
        pages = _read_pages_or_errors(cursors)
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            future.get_loop().call_soon_threadsafe(_resolve_future, future, pages)
    _close_connection()


def _resolve_future(
    future: asyncio.Future[Sequence[SerializedPage | Exception]], pages: Sequence[SerializedPage | Exception]
) -> None:
    if not future.done():  # cancelled meanwhile
        future.set_result(pages)


def _read_pages_or_errors(cursors: StreamCursors) -> Sequence[SerializedPage | Exception]:
    try:
        return [page or Stream.DoesNotExist() for page in read_pages(cursors)]
    except Exception as error:  # noqa: BLE001 - the database may be away; who asked decides when to ask again
        _close_connection()
        return [error] * len(cursors)


def _close_connection() -> None:
    """A broken one may not even close. The thread goes on: whoever has asked it would wait for ever."""
    try:
        connection.close()
    except Exception as error:  # noqa: BLE001 - there is nothing more to close
        log.warning("connection_not_closed", error=repr(error))
        connection.connection = None


def _dispatch(callbacks_by_page: Sequence[list[PageCallback]], pages: Sequence[SerializedPage | Exception]) -> None:
    for callbacks, page in zip(callbacks_by_page, pages, strict=True):
        for callback in callbacks:
            try:
                callback(page)
            except Exception:
                log.exception("page_not_taken")
