"""A file that is made whole, on the disk when it is large, and then sent piece by piece."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from diagnosis.export import labels
from diagnosis.export.content import Content

PIECE = 64 * 1024
IN_MEMORY = 1024 * 1024  # more goes to the disk

# Windows names no file with these.
_UNFIT = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def download(
    request: HttpRequest, content: Content, ending: str, kind: str, write: Callable[[IO[bytes]], None]
) -> StreamingHttpResponse:
    """What `write` writes, as a file of this ending and content type. Nothing is sent when it fails."""
    with ExitStack() as unless_sent:
        file: IO[bytes] = unless_sent.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        write(file)
        size = file.tell()
        file.seek(0)
        unless_sent.pop_all()
    # Django reads a plain iterator to its end before it sends the first byte from an event loop.
    pieces = _pieces(file) if isinstance(request, ASGIRequest) else _pieces_at_once(file)
    response = StreamingHttpResponse(pieces, content_type=kind)
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(True, _name(content, ending)) or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-AIGC"] = labels.as_header(labels.aigc_of(content.report))
    if content.report["demo"]:
        response["X-Demo"] = "true"
    return response


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await sync_to_async(file.read, thread_sensitive=False)(PIECE):
            yield piece


def _pieces_at_once(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _name(content: Content, ending: str) -> str:
    brand = _UNFIT.sub("_", content.report["diagnosis"]["brand"])[:60].strip(" .")
    words = [_("演示") if content.report["demo"] else "", brand, f"{content.exported_at:%Y%m%d}"]
    return "-".join(filter(None, words)) + ending
