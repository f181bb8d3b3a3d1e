"""Streams to write to, and somebody to own them.

Rows are made in another thread and so committed, for the hub reads them in threads of its own. What a test has made is
deleted with its users, which takes 10 ms where emptying all tables takes 400; only where a test writes in its own
thread does it need `django_db(transaction=True)`.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Permission
from django.db import connection, transaction
from pytest_django import Settings

from progress.models import PushProcess, Stream
from progress.services import append_events, close_stream, open_stream

P = ParamSpec("P")
T = TypeVar("T")

_created_users: list[AbstractUser] = []


def run_in_own_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call in a thread, and so in a transaction, of its own."""

    def run() -> T:
        try:
            return call(*args, **kwargs)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def create_stream_user(*, is_staff: bool = False) -> AbstractUser:
    """An account like any other; staff that may see every stream."""
    users: Any = get_user_model().objects
    user: AbstractUser = users.create_user(username=uuid.uuid4().hex, is_staff=is_staff)
    if is_staff:
        user.user_permissions.add(Permission.objects.get(codename="view_stream"))
    _created_users.append(user)
    return user


def append_numbered_events(stream: Stream, *numbers: int) -> int:
    """Append one event per number, in one transaction."""
    with transaction.atomic():
        return append_events(stream.pk, [("progress", {"number": number}) for number in numbers])


def complete_stream(stream: Stream) -> int:
    """Append the last event."""
    with transaction.atomic():
        return close_stream(stream.pk, "complete", {"status": "completed"})


def _delete_created_rows() -> None:
    while _created_users:
        _created_users.pop().delete()
    PushProcess.objects.all().delete()


@pytest.fixture
def owner() -> Iterator[AbstractUser]:
    """An account; at the end all accounts of the test are deleted, with their streams."""
    yield run_in_own_thread(create_stream_user)
    run_in_own_thread(_delete_created_rows)


@pytest.fixture
def stream(owner: AbstractUser) -> Stream:
    """An empty open stream."""
    return run_in_own_thread(open_stream, owner)


@pytest.fixture
def closed_stream(stream: Stream) -> Stream:
    """Three events and the last one."""
    run_in_own_thread(append_numbered_events, stream, 1, 2, 3)
    run_in_own_thread(complete_stream, stream)
    return run_in_own_thread(Stream.objects.get, pk=stream.pk)


@pytest.fixture
def authenticated_by_tests(settings: Settings) -> None:
    """The progress app asks the room above who a token belongs to; here that is the tests."""
    settings.PROGRESS_AUTHENTICATE = "testing.sockets.authenticate_test_token"
    settings.PROGRESS_SIGNED_OUT = "testing.sockets.find_revoked_test_tokens"
