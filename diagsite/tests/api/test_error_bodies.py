"""One problem body for every error code and locale, over HTTP, socket and polling."""

import json
import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import AsyncClient, Client

from diagsite.accounts import tokens
from diagsite.api import error_catalogue
from diagsite.asgi import application
from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError
from errors.problems import build_problem
from progress.frames import ERROR_CODES_BY_CLOSE_CODE, CloseCode
from progress.models import Stream
from progress.services import append_events, open_stream

EACH = [(code, language) for code in ErrorCode for language in ("zh-CN", "en")]
OCCURRENCE_FIELDS = {"instance", "request_id"}


def remove_occurrence_fields(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OCCURRENCE_FIELDS}


def build_expected_body(code: ErrorCode, language: str) -> dict[str, Any]:
    return remove_occurrence_fields(build_problem(code, locale=language))


@pytest.mark.parametrize(("code", "language"), EACH)
def test_http_response_has_the_problem_body(code: ErrorCode, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = type("Failure", (AppError,), {"code": code})

    def fail(_locale: str) -> None:
        raise failure

    monkeypatch.setattr(error_catalogue, "build_error_catalogue", fail)
    answer = Client().get("/api/errors", headers={"Accept-Language": language, "X-Request-ID": "a-request-1"})
    body = answer.json()
    assert answer.status_code == ERROR_SPECS[code].http_status
    assert answer["Content-Type"] == "application/problem+json"
    assert remove_occurrence_fields(body) == build_expected_body(code, language)
    assert (body["instance"], body["request_id"]) == ("/api/errors", "a-request-1")
    wait = ERROR_SPECS[code].retry_after_ms
    assert answer.get("Retry-After") == (str(wait // 1000) if wait else None)


SECONDS = 30


async def get_error_frame(communicator: WebsocketCommunicator) -> dict[str, Any]:
    message = await communicator.receive_output(SECONDS)
    frame: dict[str, Any] = json.loads(message["text"])
    return frame


@pytest.mark.django_db  # the consumer checks its thread's connection before every frame
@pytest.mark.parametrize(("code", "language"), EACH)
async def test_socket_frame_has_the_problem_body(
    code: ErrorCode, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ERROR_CODES_BY_CLOSE_CODE, CloseCode.BAD_FRAME, code)
    headers = [(b"accept-language", language.encode()), (b"host", b"testserver")]
    socket = WebsocketCommunicator(application, f"/ws/diagnosis/{uuid.uuid4()}/", headers=headers)
    await socket.connect(SECONDS)
    await socket.send_to(text_data="not a frame")
    frame = await get_error_frame(socket)
    assert frame["type"] == "error"
    assert remove_occurrence_fields(frame["problem"]) == build_expected_body(code, language)
    assert frame["problem"]["request_id"]
    assert (await socket.receive_output(SECONDS))["code"] == CloseCode.BAD_FRAME
    await socket.disconnect(timeout=SECONDS)


def create_stream_of_errors() -> tuple[Stream, str]:
    users: Any = get_user_model().objects
    user = users.create_user(username=uuid.uuid4().hex)
    stream = open_stream(user)
    with transaction.atomic():
        append_events(stream.pk, [("error", build_problem(code, locale=language)) for code, language in EACH])
    return stream, tokens.issue_token(user).token


@pytest.mark.django_db(transaction=True)
async def test_polled_and_pushed_events_have_the_message() -> None:
    stream, token = await sync_to_async(create_stream_of_errors)()
    polled: list[Any] = []
    while len(polled) < len(EACH):  # a page is bounded
        address = f"/api/streams/{stream.pk}/events?wait=0&after={len(polled)}&epoch={stream.epoch}"
        answer = await AsyncClient().get(address, headers={"Authorization": f"Bearer {token}"})
        polled += answer.json()["events"]
    assert [remove_occurrence_fields(data) for _, _, data in polled] == [build_expected_body(*each) for each in EACH]

    socket = WebsocketCommunicator(application, f"/ws/diagnosis/{stream.pk}/", headers=[(b"host", b"testserver")])
    await socket.connect(SECONDS)
    await socket.send_to(text_data=json.dumps({"type": "hello", "v": 1, "token": token, "after": 0}))
    pushed: list[Any] = []
    while len(pushed) < len(EACH):
        pushed += (await get_error_frame(socket)).get("e", [])
    await socket.disconnect(timeout=SECONDS)
    assert pushed == polled


def test_unchanged_catalogue_is_answered_with_304() -> None:
    client = Client()
    first = client.get("/api/errors", headers={"Accept-Language": "en"})
    assert first["Cache-Control"] == "public, no-cache"
    assert first["Vary"] == "Accept-Language"
    assert set(first.json()["errors"]) == set(first.json()["codes"]) == set(ErrorCode)
    again = client.get("/api/errors", headers={"Accept-Language": "en", "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    other = client.get("/api/errors", headers={"Accept-Language": "zh-CN", "If-None-Match": first["ETag"]})
    assert other.status_code == 200
