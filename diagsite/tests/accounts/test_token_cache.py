"""The token cache: no repeated verification, and revocations still apply."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from diagsite.accounts import tokens
from diagsite.models import RevokedToken, User


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user(username="somebody")


@pytest.fixture
def token(user: User) -> str:
    return tokens.issue_token(user).token


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that the test sets."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(tokens, "time", clock)
    return clock


def _ask(token: str, method: str = "GET", path: str = "/api/platforms") -> int:
    answer = Client().generic(method, path, headers={"Authorization": f"Bearer {token}"})
    return int(answer.status_code)


def test_requests_in_a_burst_verify_the_token_once(
    token: str, clock: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert _ask(token) == 200
    with django_assert_num_queries(0):
        assert [_ask(token) for _ in range(3)] == [200, 200, 200]
    clock.now += tokens.TOKEN_CACHE_SECONDS
    with django_assert_num_queries(1):
        assert _ask(token) == 200


def test_sign_out_applies_at_once(token: str, clock: Any) -> None:
    assert _ask(token) == 200
    assert _ask(token, "DELETE", "/api/session") == 204
    assert _ask(token) == 401


def test_sign_out_in_another_process_applies_within_a_second(user: User, token: str, clock: Any) -> None:
    assert _ask(token) == 200
    RevokedToken.objects.create(token_id=signing.loads(token, salt="diagsite.session")["id"], expires_at=timezone.now())
    clock.now += tokens.TOKEN_CACHE_SECONDS
    assert tokens.TOKEN_CACHE_SECONDS <= 1
    assert _ask(token) == 401


@pytest.mark.django_db(transaction=True)
def test_deactivation_of_a_user_applies_at_once(user: User, token: str, clock: Any) -> None:
    assert _ask(token) == 200
    user.is_active = False
    user.save()
    assert _ask(token) == 401


def test_token_revoked_during_verification_is_not_cached(
    user: User, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def authenticate(token: str) -> Any:
        tokens.token_cache.clear()  # a concurrent sign-out after the verification
        return user, timezone.now() + timedelta(hours=1)

    monkeypatch.setattr(tokens, "verify_token", authenticate)
    assert tokens.token_cache.load_user(token) == user
    assert tokens.token_cache.get_cached_user(token) is None


def test_cache_entry_expires_with_its_token(
    user: User, token: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = timezone.now() + timedelta(seconds=0.5)
    monkeypatch.setattr(tokens, "verify_token", lambda token: (user, soon))
    assert tokens.token_cache.load_user(token) == user
    clock.now += 0.5
    assert tokens.token_cache.get_cached_user(token) is None


def test_cache_size_is_limited(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_CACHED_TOKENS", 3)
    for token in [tokens.issue_token(user).token for _ in range(10)]:
        assert tokens.token_cache.load_user(token) == user
        assert len(tokens.token_cache._entries) <= 3
