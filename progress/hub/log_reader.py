"""Reads event logs for all topics and subscribers; the requests waiting when a read starts share one query."""

import asyncio
import contextlib
import contextvars
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue

import orjson
import structlog
from django.db import connection

from progress.models import Stream
from progress.services import EventEntry, LogPage, read_logs

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES = 60 * 1024
MAX_STREAMS_PER_READ = 10  # so that a read takes little memory, and blocks the event loop for a few milliseconds
MIN_READ_INTERVAL_SECONDS = 0.005  # requests within it share a read; a request after a pause does not wait
MAX_CONCURRENT_READS = 2  # one is delivered while the database works on the other


@dataclass(frozen=True, slots=True)
class SerializedPage:
    """The log after a cursor, serialized. end_cursor: the last entry of the frames, or the cursor if there is none.

    log_page: the page without its entries, which would take the memory a second time while a peer does not read.
    """

    log_page: LogPage
    frames: list[str]
    end_cursor: int


PageCallback = Callable[[SerializedPage | Exception], None]


def encode_frames(entries: Sequence[EventEntry]) -> Iterator[str]:
    """Yield `events` frames of at most MAX_FRAME_BYTES with the entries in order."""
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
    """Return the log after each (stream, cursor), None for a missing stream."""
    return [
        SerializedPage(
            replace(page, entries=[]),
            list(encode_frames(page.entries)),
            page.entries[-1][0] if page.entries else after,
        )
        if page
        else None
        for page, (_, after) in zip(read_logs(cursors), cursors, strict=True)
    ]


StreamCursors = list[tuple[uuid.UUID, int]]
ReadResults = Sequence[SerializedPage | Exception]
ReadJob = tuple[StreamCursors, asyncio.Future[ReadResults]]


class LogReader:
    """Reads logs for one event loop, in threads that keep their connections: opening one costs more than a read."""

    def __init__(self) -> None:
        self._callbacks: dict[tuple[uuid.UUID, int], list[PageCallback]] = {}
        self._has_requests = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: SimpleQueue[ReadJob | None] = SimpleQueue()
        self._next_read_at = 0.0

    def start(self) -> None:
        """Start reading, in new contexts: the reader serves all requests, not only the first one."""
        self._jobs = SimpleQueue()
        self._tasks = [
            asyncio.create_task(self._run_read_loop(), name="log_reader", context=contextvars.Context())
            for _ in range(MAX_CONCURRENT_READS)
        ]
        for _ in range(MAX_CONCURRENT_READS):
            threading.Thread(target=_run_reader_thread, args=[self._jobs], name="log_reader", daemon=True).start()

    def stop(self) -> None:
        """Stop; pending requests are not answered."""
        for task in self._tasks:
            task.cancel()
            self._jobs.put(None)
        self._tasks = []

    def request(self, stream_id: uuid.UUID, after: int, callback: PageCallback) -> None:
        """Read the log after a cursor; the callback receives the page or the exception."""
        self._callbacks.setdefault((stream_id, after), []).append(callback)
        self._has_requests.set()

    async def read(self, stream_id: uuid.UUID, after: int) -> SerializedPage:
        """Return the log after a cursor. Raises Stream.DoesNotExist or django.db.Error."""
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
            loop = asyncio.get_running_loop()
            while (wait := self._next_read_at - loop.time()) > 0:  # noqa: ASYNC110 - the other task may read first
                await asyncio.sleep(wait)
            self._next_read_at = loop.time() + MIN_READ_INTERVAL_SECONDS
            keys = list(self._callbacks)[:MAX_STREAMS_PER_READ]
            callbacks = [self._callbacks.pop(key) for key in keys]
            if not self._callbacks:
                self._has_requests.clear()
            if keys:
                future: asyncio.Future[ReadResults] = loop.create_future()
                self._jobs.put((keys, future))
                _dispatch(callbacks, await future)
            await asyncio.sleep(0)


def _run_reader_thread(jobs: "SimpleQueue[ReadJob | None]") -> None:
    while job := jobs.get():
        cursors, future = job
        results: ReadResults
        try:
            results = [page or Stream.DoesNotExist() for page in read_pages(cursors)]
        except Exception as error:  # noqa: BLE001 - the database may be unavailable; the callers decide when to retry
            _close_connection()
            results = [error] * len(cursors)
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            future.get_loop().call_soon_threadsafe(_resolve_future, future, results)
    _close_connection()


def _resolve_future(future: asyncio.Future[ReadResults], results: ReadResults) -> None:
    if not future.done():  # cancelled meanwhile
        future.set_result(results)


def _close_connection() -> None:
    """Close the thread's connection. Closing a broken one may fail; the thread must continue nevertheless."""
    try:
        connection.close()
    except Exception as error:  # noqa: BLE001 - the connection is discarded
        log.warning("connection_not_closed", error=repr(error))
        connection.connection = None


def _dispatch(callbacks_by_result: Sequence[list[PageCallback]], results: ReadResults) -> None:
    for callbacks, result in zip(callbacks_by_result, results, strict=True):
        for callback in callbacks:
            try:
                callback(result)
            except Exception:
                log.exception("page_callback_failed")
