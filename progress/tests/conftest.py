"""Streams and their owners.

Rows are created in another thread and thus committed, because the hub reads them in its own threads. They are deleted
with their users, which takes 10 ms instead of 400 ms for truncating all tables. Only tests that write in their own
thread need `django_db(transaction=True)`.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Permission
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from pytest_django import Settings

from progress.models import PushProcess, Stream
from progress.services import append_events, close_stream, open_stream

P = ParamSpec("P")
T = TypeVar("T")

_created_users: list[AbstractUser] = []


def run_in_own_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call in a new thread, with its own connection and transaction, and return its result."""

    def run() -> T:
        try:
            return call(*args, **kwargs)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def create_stream_user(*, is_staff: bool = False) -> AbstractUser:
    """Create a user; staff can see every stream."""
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
    with transaction.atomic():
        return close_stream(stream.pk, "complete", {"status": "completed"})


def _delete_created_rows() -> None:
    while _created_users:
        _created_users.pop().delete()
    PushProcess.objects.all().delete()
    Session.objects.all().delete()


@pytest.fixture
def owner() -> Iterator[AbstractUser]:
    """A user; after the test all users of the test are deleted with their streams."""
    yield run_in_own_thread(create_stream_user)
    run_in_own_thread(_delete_created_rows)


@pytest.fixture
def stream(owner: AbstractUser) -> Stream:
    return run_in_own_thread(open_stream, owner)


@pytest.fixture
def closed_stream(stream: Stream) -> Stream:
    """A stream with three events and the last one."""
    run_in_own_thread(append_numbered_events, stream, 1, 2, 3)
    run_in_own_thread(complete_stream, stream)
    return run_in_own_thread(Stream.objects.get, pk=stream.pk)


@pytest.fixture
def authenticated_by_tests(settings: Settings) -> None:
    """Authenticate with the tokens of `testing.clients.sockets`."""
    settings.PROGRESS_AUTHENTICATE = "testing.clients.sockets.authenticate_test_token"
    settings.PROGRESS_SIGNED_OUT = "testing.clients.sockets.find_revoked_test_tokens"
