"""The HTTP API of the error catalogue."""

import hashlib
import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import P, QueryEx, Router

from errors.problems import build_error_catalogue, get_current_locale

router = Router(tags=["errors"])


@router.get(
    "/errors", auth=None, summary="Get the messages of all error codes", operation_id="diagsite_api_get_error_catalogue"
)
def get_error_catalogue(request: HttpRequest, locale: QueryEx[str, P(max_length=16)] = "") -> Any:
    """Return the messages, for clients that must explain a failure while they cannot reach the site."""
    body = json.dumps(build_error_catalogue(locale or get_current_locale()), ensure_ascii=False)
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Accept-Language"}
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)
