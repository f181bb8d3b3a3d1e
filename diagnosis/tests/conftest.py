"""Fixtures of the app: users, their signed-in clients, platforms and a fake platform server."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import AbstractUser, Permission
from django.test import Client

from diagnosis.models import Platform
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY, make_platform, make_user
from testing.fakes.platform import FakePlatform


@pytest.fixture(autouse=True)
def platform_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)


@pytest.fixture
def owner(db: None) -> AbstractUser:
    return make_user("owner")


@pytest.fixture
def stranger(db: None) -> AbstractUser:
    return make_user("stranger")


@pytest.fixture
def staff(db: None) -> AbstractUser:
    """A member of staff who may see the diagnoses of others."""
    user = make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_diagnosis", "view_stream"]))
    return user


def make_signed_in_client(user: AbstractUser) -> Client:
    client = Client(headers={"Accept-Language": "zh-CN"})
    client.force_login(user)  # type: ignore[arg-type]
    return client


@pytest.fixture
def client(owner: AbstractUser) -> Client:
    """The owner's client, in Chinese. Overrides pytest-django's fixture, which is not signed in."""
    return make_signed_in_client(owner)


@pytest.fixture
def client_of_stranger(stranger: AbstractUser) -> Client:
    return make_signed_in_client(stranger)


@pytest.fixture
def client_of_staff(staff: AbstractUser) -> Client:
    return make_signed_in_client(staff)


@pytest.fixture
def platform(db: None) -> Platform:
    """A platform for tests that make no calls."""
    return make_platform()


@pytest.fixture
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        yield server


@pytest.fixture
def at_their_own_hosts(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Resolve the platforms' real host names to this machine, so that a fake can serve each of them."""
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name in settings.OUTGOING_HOSTS else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)


def build_fake_base_url(base_url: str, fake: FakePlatform) -> str:
    """Return a platform's base URL with http and the fake's port."""
    parts = urlsplit(base_url)
    return f"http://{parts.hostname}:{fake.port}{parts.path}"
