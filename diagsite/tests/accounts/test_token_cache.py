"""Tokens that were checked a moment ago are not looked up again, and what is revoked is no good all the same."""

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
    """The time by which tokens are remembered, in the test's hands."""

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


def test_calls_in_a_burst_look_the_token_up_once(
    token: str, clock: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert _ask(token) == 200
    with django_assert_num_queries(0):
        assert [_ask(token) for _ in range(3)] == [200, 200, 200]
    clock.now += tokens.TOKEN_CACHE_SECONDS
    with django_assert_num_queries(1):
        assert _ask(token) == 200


def test_who_signs_out_is_out_at_once(token: str, clock: Any) -> None:
    assert _ask(token) == 200
    assert _ask(token, "DELETE", "/api/session") == 204
    assert _ask(token) == 401


def test_who_signs_out_at_another_process_is_out_within_a_second(user: User, token: str, clock: Any) -> None:
    assert _ask(token) == 200
    RevokedToken.objects.create(token_id=signing.loads(token, salt="diagsite.session")["id"], expires_at=timezone.now())
    clock.now += tokens.TOKEN_CACHE_SECONDS
    assert tokens.TOKEN_CACHE_SECONDS <= 1
    assert _ask(token) == 401


@pytest.mark.django_db(transaction=True)
def test_a_user_who_is_switched_off_is_out_at_once(user: User, token: str, clock: Any) -> None:
    assert _ask(token) == 200
    user.is_active = False
    user.save()
    assert _ask(token) == 401


def test_a_token_that_is_revoked_while_it_is_looked_up_is_not_remembered(
    user: User, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def authenticate(token: str) -> Any:
        tokens.token_cache.clear()  # somebody else's sign-out, just after our look
        return user, timezone.now() + timedelta(hours=1)

    monkeypatch.setattr(tokens, "verify_token", authenticate)
    assert tokens.token_cache.load_user(token) == user
    assert tokens.token_cache.get_cached_user(token) is None


def test_it_is_remembered_no_longer_than_it_is_good(
    user: User, token: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = timezone.now() + timedelta(seconds=0.5)
    monkeypatch.setattr(tokens, "verify_token", lambda token: (user, soon))
    assert tokens.token_cache.load_user(token) == user
    clock.now += 0.5
    assert tokens.token_cache.get_cached_user(token) is None


def test_what_is_remembered_is_bounded(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_CACHED_TOKENS", 3)
    for token in [tokens.issue_token(user).token for _ in range(10)]:
        assert tokens.token_cache.load_user(token) == user
        assert len(tokens.token_cache._entries) <= 3
