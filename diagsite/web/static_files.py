"""Static files by WhiteNoise, without its synchronous middleware.

A middleware that cannot be asynchronous makes Django hold a thread for every request behind it: for a long poll,
that would be 20 seconds of a thread each.
"""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise for both kinds of request."""

    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        super().__init__(get_response)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """The file, when the path names one; else what comes behind."""
        if self.is_async:
            return self._serve_async(request)
        response: HttpResponseBase = super().__call__(request)
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        static_file = self.files.get(request.path_info)
        if static_file is None:
            response: HttpResponseBase = await self.get_response(request)
            return response
        served = self.serve(static_file, request)
        # Our files are small: read at once, or Django would consume the file's iterator in a thread, with a warning.
        return HttpResponse(b"".join(served), status=served.status_code, headers=dict(served.items()))
