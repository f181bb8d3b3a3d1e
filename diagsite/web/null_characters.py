"""Refuse requests with a NUL character, which PostgreSQL cannot store or compare."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.decorators import sync_and_async_middleware

from diagsite.web.error_pages import build_error_response
from errors.exceptions import DataFormatError, NotFound

NUL = "\x00"
FORM_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data"}


@sync_and_async_middleware
def null_character_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer 404 to a path with NUL, and 400 to NUL in a cookie, form or query; the API checks bodies and queries."""

    def refuse(request: HttpRequest) -> HttpResponse | None:
        # The admin decodes "_00" in the id of an object.
        path = unquote(request.path) if request.path.startswith("/admin/") else request.path
        if NUL in path and not path.startswith("/shared/"):  # any wrong token gets the same page
            return build_error_response(request, NotFound(), place="null_character")
        if _has_nul(request):
            return build_error_response(request, DataFormatError(), place="null_character")
        return None

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        return refuse(request) or cast(HttpResponse, await get_response(request))

    def synchronous(request: HttpRequest) -> HttpResponse:
        return refuse(request) or cast(HttpResponse, get_response(request))

    return asynchronous if iscoroutinefunction(get_response) else synchronous


def _has_nul(request: HttpRequest) -> bool:
    texts = [*request.COOKIES, *request.COOKIES.values()]
    if not request.path.startswith("/api/"):  # which names the wrong field
        texts += _list_texts(request.GET)
        if request.method == "POST" and request.content_type in FORM_TYPES:
            texts += _list_texts(request.POST)
    return any(NUL in text for text in texts)


def _list_texts(values: QueryDict) -> Iterable[str]:
    for name, texts in values.lists():
        yield name
        yield from texts
