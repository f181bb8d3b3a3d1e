"""Django's ASGI handler; a request holds a thread only while it does blocking work.

Django assigns a thread to each request from its first synchronous call to its end. Starting one costs as much as a
short response, and a long poll would keep it while it waits: a thousand polls, a thousand threads (decision 0014).
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import structlog
from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries

log = structlog.get_logger(__name__)

MAX_IDLE_THREADS = 32


class RequestThreadPool:
    """Threads for blocking work: as many as needed, of which MAX_IDLE_THREADS are kept."""

    def __init__(self) -> None:
        self.idle: list[ThreadPoolExecutor] = []

    def run_soon(self, function: Callable[[], None]) -> None:
        """Run a function in an idle thread, or in a new one."""
        try:
            thread = self.idle.pop()
        except IndexError:
            thread = ThreadPoolExecutor(1, thread_name_prefix="request")
        thread.submit(self._work, thread, function)

    def _work(self, thread: ThreadPoolExecutor, function: Callable[[], None]) -> None:
        try:
            function()
        finally:
            if len(self.idle) < MAX_IDLE_THREADS:
                self.idle.append(thread)
            else:
                thread.shutdown(wait=False)


class _SerialExecutor(Executor):
    """Runs the calls of one request in order, each in any idle thread.

    The next call may run in another thread, so the database connection is returned when no call is left.
    """

    def __init__(self, threads: RequestThreadPool) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._pending: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_running = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._pending.append((future, partial(function, *args, **named)))
            is_working, self._is_running = self._is_running, True
        if not is_working:
            self._threads.run_soon(self._work)
        return future

    def _work(self) -> None:
        while self._has_more_work():
            future, call = self._pending.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - passed on to the waiting caller
                future.set_exception(error)
            else:
                future.set_result(result)

    def _has_more_work(self) -> bool:
        if not self._pending:
            try:
                close_old_connections()
            except Exception:  # the request continues; it would wait for its thread forever
                log.exception("connection_not_given_back")
        with self._lock:
            self._is_running = bool(self._pending)
            return self._is_running


class SiteASGIHandler(ASGIHandler):
    """Gives each request an executor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.thread_pool = RequestThreadPool()
        # Django would run these in a thread before each request; the executor closes its connections itself.
        request_started.disconnect(close_old_connections)
        request_started.disconnect(reset_queries)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext(executor=_SerialExecutor(self.thread_pool)):
            await super().__call__(scope, receive, send)
