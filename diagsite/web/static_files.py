"""Static files by WhiteNoise, without its synchronous middleware.

With a synchronous middleware Django would hold a thread for every request, for example 20 seconds for a long poll.
"""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise for synchronous and asynchronous requests."""

    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        super().__init__(get_response)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Return the file of the path, or else the response of the view."""
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
        # The files are small. Django would consume an iterator in a thread, with a warning.
        return HttpResponse(b"".join(served), status=served.status_code, headers=dict(served.items()))
