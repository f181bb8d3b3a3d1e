"""Django's handler, whose requests hold a thread only while they have something to do in one.

Django gives each request a thread from its first synchronous line to its end. Making one costs as much as a short
answer itself, and a long poll, which waits for 25 s, would keep it for nothing: a thousand of them, a thousand threads.
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
    """As many as there is work for at once, of which a few stay for the work to come."""

    def __init__(self) -> None:
        self.idle: list[ThreadPoolExecutor] = []

    def run_soon(self, function: Callable[[], None]) -> None:
        """Have it done, soon."""
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
    """What one request does in threads: one thing after another, each in whichever is free.

    The next thing may be done in another thread, so none keeps a connection to the database for it.
    """

    def __init__(self, threads: RequestThreadPool) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._pending: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_running = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """As ever."""
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
            except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits for it elsewhere
                future.set_exception(error)
            else:
                future.set_result(result)

    def _has_more_work(self) -> bool:
        if not self._pending:
            try:
                close_old_connections()
            except Exception:  # the request goes on, or it would wait for its thread for ever
                log.exception("connection_not_given_back")
        with self._lock:
            self._is_running = bool(self._pending)
            return self._is_running


class SiteASGIHandler(ASGIHandler):
    """Answers each request in a context of its own, as Django does."""

    def __init__(self) -> None:
        super().__init__()
        self.thread_pool = RequestThreadPool()
        # Django would begin each request with a hop to a thread for them; the threads see to their connections.
        request_started.disconnect(close_old_connections)
        request_started.disconnect(reset_queries)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        async with ThreadSensitiveContext(executor=_SerialExecutor(self.thread_pool)):
            await super().__call__(scope, receive, send)
