"""The server process: daphne, the worker in its event loop, and the supervision of the embedded PostgreSQL."""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import structlog
from daphne.server import Server  # before all others: it installs Twisted's asyncio reactor

from diagnosis.running.queue import DIAGNOSIS_QUEUE, MAINTENANCE_QUEUE
from diagsite.asgi import application
from diagsite.notifications.outbox import run_notification_sender_loop
from diagsite.server import embedded_postgres
from diagsite.server.embedded_worker import (
    WORKER_DRAIN_SECONDS,
    run_sweep_loop,
    run_worker_forever,
    supervise_embedded_database,
)
from diagsite.server.shutdown import drain_requests, stop_listening
from diagsite.server.websocket_protocol import SiteWebSocketProtocol, configure_websockets
from monitoring.dashboard.push import run_dashboard_push_loop
from monitoring.delivery.outbox import run_alert_sender_loop
from monitoring.watchdog import run_watchdog_loop
from progress.access import WRITE_BUFFER_EXTENSION
from progress.consumers import close_all_sockets

log = structlog.get_logger(__name__)

MAINTENANCE_CONCURRENCY = 2
GOING_AWAY_TIMEOUT_SECONDS = 1.0
LISTEN_BACKLOG = 4096  # clients of a process that was restarted arrive within a second
CANCEL_TIMEOUT_SECONDS = 2.0
REQUEST_DRAIN_SECONDS = 2.0
PING_DISABLED = float("inf")
# Python's default is 6 on two cores. During a database outage a dozen loops wait in these threads, and Django logs
# every 4xx and 5xx response in one: with fewer threads, 503 responses would be 10 s late.
MAX_EXECUTOR_THREADS = 32
FORCED_EXIT_SECONDS = 14.0  # supervisors kill the process after 15 s or more


class SampleRunner(Protocol):
    """A sample diagnosis that runs when the server is ready (diagsite/cli/sample.py)."""

    async def run(self, port: int) -> None:
        """Run the sample against the server on this port."""

    def print_stopping(self) -> None:
        """Print that the server stops."""


class ListenError(Exception):
    """The port is in use by another process."""


class _DaphneServer(Server):  # type: ignore[misc]
    """daphne with the reason if it cannot listen, a stop that ignores idle connections, and flow control of sockets."""

    listen_failure = ""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Let the application of a socket know whether its peer reads."""
        if isinstance(protocol, SiteWebSocketProtocol):
            scope["extensions"] = {WRITE_BUFFER_EXTENSION: lambda: protocol.is_write_buffer_empty}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Let a message to a socket, or its close, wait while the peer does not read."""
        if message["type"] != "websocket.accept" and isinstance(protocol, SiteWebSocketProtocol):
            await protocol.wait_until_writable()
        await super().handle_reply(protocol, message)

    def listen_error(self, failure: Any) -> None:
        self.listen_failure = failure.getErrorMessage()
        self.stop()

    def kill_all_applications(self) -> Any:
        # A connection that is kept alive between two requests has no application, which daphne trips over.
        finished: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        finished.cancel()
        for details in self.connections.values():
            details.setdefault("application_instance", finished)
        return super().kill_all_applications()


class SiteServer:
    """Serves until SIGINT or SIGTERM; then asks clients to reconnect, drains the worker and ends."""

    def __init__(self, host: str, port: int, *, concurrency: int, sample: SampleRunner | None = None) -> None:
        self.host, self.port = host, port
        self.concurrency = concurrency
        self.sample = sample
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_task: asyncio.Task[None] | None = None
        self._skip_drain = asyncio.Event()
        self._server = _DaphneServer(
            application,
            endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}:backlog={LISTEN_BACKLOG}"],
            signal_handlers=False,
            # The protocol has its own ping, which browsers and mini-programs can see. (0 would mean every 2 s.)
            ping_interval=PING_DISABLED,
            ready_callable=self._on_ready,
        )

    def run(self) -> None:
        """Serve until stopped. Raises ListenError if the port is in use."""
        self._server.run()
        # Cancel all tasks, as `asyncio.run` does; Python 3.11 can crash when it deletes pending ones.
        loop = asyncio.get_event_loop()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_SECONDS))
        loop.run_until_complete(loop.shutdown_asyncgens())
        if self._server.listen_failure:
            raise ListenError(self._server.listen_failure)

    def _on_ready(self) -> None:
        configure_websockets(self._server.ws_factory)
        loop = asyncio.get_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(MAX_EXECUTOR_THREADS, "site"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_stop_signal, number.name)
        log.info("serving", host=self.host, port=self.port, concurrency=self.concurrency)
        self._spawn(supervise_embedded_database())
        self._spawn(run_sweep_loop())
        self._spawn(run_notification_sender_loop())
        self._spawn(run_alert_sender_loop())
        self._spawn(run_watchdog_loop())
        self._spawn(run_dashboard_push_loop())
        if self.concurrency:
            self._spawn(run_worker_forever(DIAGNOSIS_QUEUE, self.concurrency))
            # A separate worker, because diagnoses may occupy the other one for minutes.
            self._spawn(run_worker_forever(MAINTENANCE_QUEUE, MAINTENANCE_CONCURRENCY))
        if self.sample:
            self._spawn(self.sample.run(self.port))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_event_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("task_crashed", task=repr(task.get_coro()), exc_info=task.exception())

    def _on_stop_signal(self, reason: str) -> None:
        if self._stop_task:  # a second Ctrl-C skips the drain
            self._skip_drain.set()
            return
        log.info("stopping", reason=reason)
        timer = threading.Timer(FORCED_EXIT_SECONDS, _force_exit)
        timer.daemon = True
        timer.start()
        self._stop_task = asyncio.get_event_loop().create_task(self._stop())
        if self.sample:
            self.sample.print_stopping()

    async def _stop(self) -> None:
        if not self.concurrency:
            await stop_listening(self._server)
        await _send_going_away()
        # With a worker it still listens, because draining diagnoses may call its own demo platform.
        for task in list(self._tasks):
            task.cancel()
        either: list[asyncio.Future[Any]] = [
            asyncio.gather(*self._tasks, return_exceptions=True),
            asyncio.ensure_future(self._skip_drain.wait()),
        ]
        await asyncio.wait(either, timeout=WORKER_DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await stop_listening(self._server)
        await _send_going_away()  # to clients that reconnected meanwhile
        await drain_requests(self._server, REQUEST_DRAIN_SECONDS)
        self._server.stop()


async def _send_going_away() -> None:
    try:
        async with asyncio.timeout(GOING_AWAY_TIMEOUT_SECONDS):
            await close_all_sockets()
    except Exception as error:  # noqa: BLE001 - a broken socket must not prevent the stop
        log.warning("goodbye_failed", error=repr(error))


def _force_exit() -> None:
    """End the process even if a thread still waits."""
    log.error("stop_took_too_long", seconds=FORCED_EXIT_SECONDS)
    database = embedded_postgres.get_embedded_server()
    if database:
        database.release()
    os._exit(1)
