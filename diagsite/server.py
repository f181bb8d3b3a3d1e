"""One process that serves: daphne, the worker in its event loop, and an eye on the embedded PostgreSQL."""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog
from daphne.server import Server  # first: it installs Twisted's asyncio reactor

from diagnosis.jobs import MAINTENANCE_QUEUE, QUEUE
from diagsite import embedded
from diagsite.asgi import application
from diagsite.compression import compress_frames
from diagsite.draining import finish_requests, stop_listening
from diagsite.notices import keep_sending
from diagsite.working import keep_database_up, keep_sweeping, keep_working
from monitoring.live import keep_telling
from monitoring.outbox import keep_sending as keep_sending_alerts
from monitoring.watchdog import keep_watching
from progress.consumers import say_going_away

if TYPE_CHECKING:
    from diagsite.sample import Sample

log = structlog.get_logger(__name__)

MAINTENANCE_AT_ONCE = 2
MOST_SOCKET_MESSAGE_BYTES = 64 * 1024
GOODBYE_SECONDS = 1.0
# For a peer to answer a close. autobahn's own is 1, which its timer, counting whole seconds, can turn into none: then
# the line is dropped while the reason for the close is still unsent.
CLOSE_SECONDS = 3
CANCEL_SECONDS = 2.0
DRAIN_SECONDS = 8.0  # the worker gives its diagnoses 5
REQUEST_SECONDS = 2.0
NEVER = float("inf")
# Python gives a machine of two cores 6. A dozen of our loops wait for the database in them while it is away, and Django
# logs every answer of 4xx and 5xx in one: without more, "unavailable" would be said 10 s late.
THREADS = 32
STOP_SECONDS = 14.0  # whoever stops us kills after 15 or more


class ListenError(Exception):
    """Another process was faster on the port."""


class _Daphne(Server):  # type: ignore[misc]
    """daphne that says when it cannot listen, and that can stop while connections are idle."""

    listen_failure = ""

    def listen_error(self, failure: Any) -> None:
        self.listen_failure = failure.getErrorMessage()
        self.stop()

    def kill_all_applications(self) -> Any:
        # A connection that is kept alive between two requests has no application, which daphne trips over.
        nothing: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        nothing.cancel()
        for details in self.connections.values():
            details.setdefault("application_instance", nothing)
        return super().kill_all_applications()


class SiteServer:
    """Serves until SIGINT or SIGTERM; then tells the followers to come back, drains the worker and ends."""

    def __init__(self, host: str, port: int, *, concurrency: int, sample: "Sample | None" = None) -> None:
        self.host, self.port = host, port
        self.concurrency = concurrency
        self.sample = sample
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._server = _Daphne(
            application,
            endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
            signal_handlers=False,
            websocket_max_message_size=MOST_SOCKET_MESSAGE_BYTES,
            websocket_max_frame_size=MOST_SOCKET_MESSAGE_BYTES,
            # Liveness is the protocol's own ping, which browsers and mini-programs can see. (0 would be every 2 s.)
            ping_interval=NEVER,
            ready_callable=self._ready,
        )

    def run(self) -> None:
        """Block until told to stop. Raises ListenError when the port is taken after all."""
        self._server.run()
        _cancel_the_rest()
        if self._server.listen_failure:
            raise ListenError(self._server.listen_failure)

    def _ready(self) -> None:
        compress_frames(self._server.ws_factory, MOST_SOCKET_MESSAGE_BYTES)
        # Whoever breaks the framing or sends too much hears why, by a close frame, rather than a dead line.
        self._server.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_SECONDS)
        loop = asyncio.get_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, "site"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._told_to_stop, number.name)
        log.info("serving", host=self.host, port=self.port, concurrency=self.concurrency)
        self._spawn(keep_database_up())
        self._spawn(keep_sweeping())
        self._spawn(keep_sending())
        self._spawn(keep_sending_alerts())
        self._spawn(keep_watching())
        self._spawn(keep_telling())
        if self.concurrency:
            self._spawn(keep_working(QUEUE, self.concurrency))
            # Of its own: diagnoses may have taken every place of the other for minutes.
            self._spawn(keep_working(MAINTENANCE_QUEUE, MAINTENANCE_AT_ONCE))
        if self.sample:
            self._spawn(self.sample.run(self.port))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_event_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("task_crashed", task=repr(task.get_coro()), exc_info=task.exception())

    def _told_to_stop(self, reason: str) -> None:
        if self._stopping:  # a second Ctrl-C: do not wait for the diagnoses
            self._hurry.set()
            return
        log.info("stopping", reason=reason)
        _exit_at_last(STOP_SECONDS)
        self._stopping = asyncio.get_event_loop().create_task(self._stop())
        if self.sample:
            self.sample.say_stopping()

    async def _stop(self) -> None:
        if not self.concurrency:
            await stop_listening(self._server)
        await _say_goodbye()
        # With a worker it goes on listening meanwhile: the diagnoses that drain may ask its own demo platform.
        for task in list(self._tasks):
            task.cancel()
        either: list[asyncio.Future[Any]] = [
            asyncio.gather(*self._tasks, return_exceptions=True),
            asyncio.ensure_future(self._hurry.wait()),
        ]
        await asyncio.wait(either, timeout=DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await stop_listening(self._server)
        await _say_goodbye()  # to those who came back too soon
        await finish_requests(self._server, REQUEST_SECONDS)
        self._server.stop()


async def _say_goodbye() -> None:
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await say_going_away()
    except Exception as error:  # noqa: BLE001 - a socket in a bad way must not keep the process
        log.warning("goodbye_failed", error=repr(error))


def _cancel_the_rest() -> None:
    """End every task that is left, as `asyncio.run` would: Python 3.11 can crash when it collects pending ones."""
    loop = asyncio.get_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _exit_at_last(seconds: float) -> None:
    """End the process after so long, whatever a thread is still waiting for."""

    def end() -> None:
        log.error("stop_took_too_long", seconds=seconds)
        database = embedded.running_server()
        if database:
            database.leave()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
