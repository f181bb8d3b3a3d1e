"""Download responses: the file is written completely, to disk if it is large, and then streamed."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from diagnosis.reports.export import ai_labels
from diagnosis.reports.export.content import ExportContent

CHUNK_BYTES = 64 * 1024
MAX_BYTES_IN_MEMORY = 1024 * 1024  # a larger file is written to disk

# Windows does not allow these in file names.
_INVALID_FILENAME_CHARACTER = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def build_download_response(
    request: HttpRequest,
    content: ExportContent,
    filename_suffix: str,
    content_type: str,
    write: Callable[[IO[bytes]], None],
) -> StreamingHttpResponse:
    """Return the file that `write` writes as a download. If `write` raises, nothing is sent."""
    response = stream_file(request, content_type, write)
    name = clean_filename(content.report["diagnosis"]["brand"])
    parts = [_("演示") if content.report["demo"] else "", name, f"{timezone.localtime(content.exported_at):%Y%m%d}"]
    filename = "-".join(filter(None, parts)) + filename_suffix
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    response["X-AIGC"] = ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(content.report))
    if content.report["demo"]:
        response["X-Demo"] = "true"
    return response


def clean_filename(name: str) -> str:
    """Return a name that every system allows in the name of a file."""
    return _INVALID_FILENAME_CHARACTER.sub("_", name)[:60].strip(" .")


def stream_file(request: HttpRequest, content_type: str, write: Callable[[IO[bytes]], None]) -> StreamingHttpResponse:
    """Return a response with the file that `write` writes, to disk if it is large, before the first byte is sent."""
    with ExitStack() as cleanup:
        file: IO[bytes] = cleanup.enter_context(SpooledTemporaryFile(max_size=MAX_BYTES_IN_MEMORY))
        write(file)
        size = file.tell()
        file.seek(0)
        cleanup.pop_all()
    # In an event loop, Django consumes a synchronous iterator completely before it sends the first byte.
    chunks = _aiter_chunks(file) if isinstance(request, ASGIRequest) else _iter_chunks(file)
    response = StreamingHttpResponse(chunks, content_type=content_type)
    response["Content-Length"] = str(size)
    response["Cache-Control"] = "private, no-store"
    return response


async def _aiter_chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await sync_to_async(file.read, thread_sensitive=False)(CHUNK_BYTES):
            yield chunk


def _iter_chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
