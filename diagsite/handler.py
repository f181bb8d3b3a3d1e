"""Django's handler with threads that outlive a request: two new ones for each cost as much as a short answer itself."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler

MOST_IDLE_THREADS = 32


class _Thread(ThreadPoolExecutor):
    """The one thread of a request."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="request")
        self._last: Future[Any] | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """As ever."""
        self._last = super().submit(function, *args, **named)
        return self._last

    @property
    def is_idle(self) -> bool:
        """Whether it has done all that it was given."""
        return self._last is None or self._last.done()


class Handler(ASGIHandler):
    """Lends each request a thread of its own, as Django does, from those that are idle."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[_Thread] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        thread = self._idle.pop() if self._idle else _Thread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:
            # A client may have left while its view goes on: the thread ends when that has ended.
            if thread.is_idle and len(self._idle) < MOST_IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)
