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
from progress.services import Entry, LogPage, read_logs

log = structlog.get_logger(__name__)

MOST_FRAME_BYTES = 60 * 1024
MOST_STREAMS_A_READ = 250  # so that no read keeps the event loop from the sockets for more than a few milliseconds
SECONDS_BETWEEN_READS = 0.005  # so that what comes meanwhile shares one; what comes after a pause does not wait
READS_AT_ONCE = 2  # while what one has brought is delivered, the database works on the other


@dataclass(frozen=True, slots=True)
class Page:
    """The log behind a cursor, serialised: `reach` is the last entry of the frames, the cursor itself without any."""

    log: LogPage
    frames: list[str]
    reach: int


Taker = Callable[[Page | Exception], None]


def encode_frames(entries: Sequence[Entry]) -> Iterator[str]:
    """`events` frames of at most 60 KiB that carry the entries in order."""
    batch: list[bytes] = []
    size = 0
    for entry in entries:
        text = orjson.dumps(entry)
        if batch and size + len(text) + 1 > MOST_FRAME_BYTES:
            yield _frame(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield _frame(batch)


def _frame(entries: list[bytes]) -> str:
    return (b'{"type":"events","e":[' + b",".join(entries) + b"]}").decode()


def read_pages(wanted: Sequence[tuple[uuid.UUID, int]]) -> list[Page | None]:
    """The log behind each (stream, cursor), None where there is no such stream."""
    return [_serialise(page, after) for page, (_, after) in zip(read_logs(wanted), wanted, strict=True)]


def _serialise(page: LogPage | None, after: int) -> Page | None:
    if page is None:
        return None
    return Page(page, list(encode_frames(page.entries)), page.entries[-1][0] if page.entries else after)


Wanted = list[tuple[uuid.UUID, int]]
Job = tuple[Wanted, asyncio.Future[Sequence[Page | Exception]]]


class Reader:
    """Reads for all topics and followers of an event loop, and hands each its page.

    In threads of its own that keep their connection: to fetch one for every read would cost more than the read.
    """

    def __init__(self) -> None:
        self._wanted: dict[tuple[uuid.UUID, int], list[Taker]] = {}
        self._is_wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._next_at = 0.0

    def start(self) -> None:
        """Begin to read. In contexts of its own: it works for everybody, not for the request that was first."""
        self._jobs = SimpleQueue()
        self._tasks = [
            asyncio.create_task(self._keep_reading(), name="log_reader", context=contextvars.Context())
            for _ in range(READS_AT_ONCE)
        ]
        for _ in range(READS_AT_ONCE):
            threading.Thread(target=_work, args=[self._jobs], name="log_reader", daemon=True).start()

    def stop(self) -> None:
        """End; whoever still waits is told nothing any more."""
        for task in self._tasks:
            task.cancel()
            self._jobs.put(None)
        self._tasks = []

    def ask(self, stream_id: uuid.UUID, after: int, take: Taker) -> None:
        """Have `take` called, once, with the page or with the exception that reading it has raised."""
        self._wanted.setdefault((stream_id, after), []).append(take)
        self._is_wanted.set()

    async def read(self, stream_id: uuid.UUID, after: int) -> Page:
        """The log behind a cursor. Raises Stream.DoesNotExist, or django.db.Error when the database is away."""
        found: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

        def take(page: Page | Exception) -> None:
            if found.done():  # cancelled meanwhile
                return
            if isinstance(page, Exception):
                found.set_exception(page)
            else:
                found.set_result(page)

        self.ask(stream_id, after, take)
        return await found

    async def _keep_reading(self) -> None:
        while True:
            await self._is_wanted.wait()
            await self._wait_for_turn()
            keys = list(self._wanted)[:MOST_STREAMS_A_READ]
            takers = [self._wanted.pop(key) for key in keys]
            if not self._wanted:
                self._is_wanted.clear()
            if keys:
                found: asyncio.Future[Sequence[Page | Exception]] = asyncio.get_running_loop().create_future()
                self._jobs.put((keys, found))
                _hand_out(takers, await found)
            await asyncio.sleep(0)

    async def _wait_for_turn(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._next_at - loop.time()) > 0:  # noqa: ASYNC110 - the other reader may have been faster
            await asyncio.sleep(wait)
        self._next_at = loop.time() + SECONDS_BETWEEN_READS


def _work(jobs: "SimpleQueue[Job | None]") -> None:
    while job := jobs.get():
        wanted, found = job
        pages = _read(wanted)
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            found.get_loop().call_soon_threadsafe(_answer, found, pages)
    _close_connection()


def _answer(found: asyncio.Future[Sequence[Page | Exception]], pages: Sequence[Page | Exception]) -> None:
    if not found.done():  # cancelled meanwhile
        found.set_result(pages)


def _read(wanted: Wanted) -> Sequence[Page | Exception]:
    try:
        return [page or Stream.DoesNotExist() for page in read_pages(wanted)]
    except Exception as error:  # noqa: BLE001 - the database may be away; who asked decides when to ask again
        _close_connection()
        return [error] * len(wanted)


def _close_connection() -> None:
    """A broken one may not even close. The thread goes on: whoever has asked it would wait for ever."""
    try:
        connection.close()
    except Exception as error:  # noqa: BLE001 - there is nothing more to close
        log.warning("connection_not_closed", error=repr(error))
        connection.connection = None


def _hand_out(takers: Sequence[list[Taker]], pages: Sequence[Page | Exception]) -> None:
    for waiting, page in zip(takers, pages, strict=True):
        for take in waiting:
            try:
                take(page)
            except Exception:
                log.exception("page_not_taken")
