"""Static files and the page's way to them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient
from django.utils.module_loading import import_string


@pytest.fixture(autouse=True)
def as_they_are_served(settings: Any) -> None:
    """All listed when a server starts; other tests look each up when it is asked for."""
    settings.WHITENOISE_AUTOREFRESH = False


async def test_the_client_core_is_served_as_it_is(async_client: AsyncClient, settings: Any) -> None:
    answer = await async_client.get("/static/services/webSocketClient.js")
    assert answer.status_code == 200
    assert answer.content == (settings.BASE_DIR / "miniprogram/services/webSocketClient.js").read_bytes()


async def test_a_missing_file_is_not_found(async_client: AsyncClient) -> None:
    assert (await async_client.get("/static/nothing.js")).status_code == 404


@pytest.mark.parametrize(
    "path", ["diagsite.web.static_files.StaticFilesMiddleware", "diagsite.server.request_id.request_id_middleware"]
)
def test_our_middleware_holds_no_thread(path: str) -> None:
    middleware: Callable[..., Any] = import_string(path)
    assert getattr(middleware, "async_capable", False)


def test_no_middleware_at_all_holds_a_thread(settings: Any) -> None:
    ASGIHandler()  # the whole chain can be built
    assert all(getattr(import_string(path), "async_capable", False) for path in settings.MIDDLEWARE)
