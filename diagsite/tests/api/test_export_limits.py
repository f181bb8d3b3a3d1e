"""Limits of exports and of concurrent changes, with the time to wait."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from diagsite.accounts.tokens import issue_token
from diagsite.api.rate_limits import (
    MAX_WAITING_CHANGES,
    MAX_WAITING_EXPORTS,
    get_caller_key,
    get_export_key,
    is_export_request,
    rate_limit_middleware,
)
from diagsite.models import User

EXPORT = "/api/diagnoses/5a6c1f9e-0000-4000-8000-000000000000/export.csv"


def _request(path: str = EXPORT, user: int | None = 1, address: str = "192.0.2.1") -> HttpRequest:
    headers = {"Authorization": f"Bearer {issue_token(User(pk=user)).token}"} if user else {}
    return RequestFactory().get(path, headers=headers, REMOTE_ADDR=address)


def test_export_requests_are_recognized() -> None:
    dear = [EXPORT, "/api/diagnoses/x/export.xlsx", "/diagnoses/x/print/", "/shared/token/"]
    cheap = ["/api/diagnoses/x/report", "/api/diagnoses/x/shares", "/diagnoses/x/", "/shared/"]
    assert [is_export_request(_request(path)) for path in dear + cheap] == [True] * 4 + [False] * 4


async def test_share_links_are_limited_by_address() -> None:
    assert len({await get_export_key(_request("/shared/t/", user)) for user in (None, 1, 2)}) == 1
    assert len({await get_export_key(_request(user=user)) for user in (None, 1, 2)}) == 3


async def test_concurrent_exports_are_limited_per_caller(settings: Any) -> None:
    settings.EXPORTS_AT_ONCE, settings.EXPORTS_PER_MINUTE = 2, 1000
    go, at_once, most = asyncio.Event(), 0, 0

    async def slow(request: HttpRequest) -> HttpResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await go.wait()
        at_once -= 1
        return HttpResponse("file")

    served = rate_limit_middleware(slow)
    mine = [asyncio.ensure_future(served(_request())) for _ in range(2 + MAX_WAITING_EXPORTS)]
    while at_once < 2:
        await asyncio.sleep(0)
    for _ in range(100):  # until the other requests are queued
        await asyncio.sleep(0)
    refused = await served(_request())
    assert (refused.status_code, b"RATE_LIMITED" in refused.content) == (429, True)
    assert int(refused["Retry-After"]) >= 1
    other = asyncio.ensure_future(served(_request(user=2)))
    while at_once < 3:
        await asyncio.sleep(0)
    go.set()
    assert {response.status_code for response in await asyncio.gather(other, *mine)} == {200}
    assert most == 3


@pytest.mark.parametrize(("path", "kind"), [(EXPORT, "application/problem+json"), ("/shared/t/", "text/html")])
async def test_exceeded_export_limit_answers_as_page_or_problem_body(settings: Any, path: str, kind: str) -> None:
    settings.EXPORTS_PER_MINUTE = 1

    async def quick(request: HttpRequest) -> HttpResponse:
        return HttpResponse("file")

    served = rate_limit_middleware(quick)
    address = f"192.0.2.{len(path)}"  # the rate windows are shared by all tests of the process
    answers = [await served(_request(path, user=len(path), address=address)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1]["Content-Type"].startswith(kind)
    assert int(answers[1]["Retry-After"]) >= 1


async def test_concurrent_changes_are_limited_per_caller(settings: Any) -> None:
    """Also those of other users by the same address: only the caller's own changes wait for each other."""
    settings.MAX_CONCURRENT_CHANGES = 2
    go, in_progress, most = asyncio.Event(), Counter[str](), Counter[str]()

    async def slow(request: HttpRequest) -> HttpResponse:
        key = await get_caller_key(request)
        in_progress[key] += 1
        most[key] = max(most[key], in_progress[key])
        await go.wait()
        in_progress[key] -= 1
        return HttpResponse()

    def change(user: int) -> HttpRequest:
        request = _request("/api/diagnoses/x/corrections", user)
        request.method = "POST"
        return request

    served = rate_limit_middleware(slow)
    mine = [asyncio.ensure_future(served(change(1))) for _ in range(2 + MAX_WAITING_CHANGES)]
    other = asyncio.ensure_future(served(change(2)))
    reading = [asyncio.ensure_future(served(_request("/api/diagnoses"))) for _ in range(3)]
    while in_progress.total() < 2 + 1 + 3:
        await asyncio.sleep(0)
    for _ in range(500):  # until the other requests are queued
        await asyncio.sleep(0)
    refused = await served(change(1))
    assert (refused.status_code, int(refused["Retry-After"]) >= 1) == (429, True)
    go.set()
    assert {response.status_code for response in await asyncio.gather(other, *mine, *reading)} == {200}
    assert dict(most) == {"user:1": 2 + 3, "user:2": 1}
