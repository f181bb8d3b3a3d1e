"""Static files and their middleware."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient
from django.utils.module_loading import import_string


@pytest.fixture(autouse=True)
def listed_static_files(settings: Any) -> None:
    """List all files at the start, as a server process does; other tests look them up on request."""
    settings.WHITENOISE_AUTOREFRESH = False


async def test_client_core_is_served_unchanged(async_client: AsyncClient, settings: Any) -> None:
    answer = await async_client.get("/static/stream/webSocketClient.js")
    assert answer.status_code == 200
    assert answer.content == (settings.BASE_DIR / "miniprogram/pages/report-v2/stream/webSocketClient.js").read_bytes()


async def test_missing_file_answers_404(async_client: AsyncClient) -> None:
    assert (await async_client.get("/static/nothing.js")).status_code == 404


@pytest.mark.parametrize(
    "path", ["diagsite.web.static_files.StaticFilesMiddleware", "diagsite.server.request_id.request_id_middleware"]
)
def test_static_files_middleware_is_asynchronous(path: str) -> None:
    middleware: Callable[..., Any] = import_string(path)
    assert getattr(middleware, "async_capable", False)


def test_all_middleware_is_asynchronous(settings: Any) -> None:
    ASGIHandler()  # builds the whole chain
    assert all(getattr(import_string(path), "async_capable", False) for path in settings.MIDDLEWARE)
