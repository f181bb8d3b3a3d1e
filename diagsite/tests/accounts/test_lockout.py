"""The lockout after failed sign-ins with a password, per account and IP address."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import F
from django.test import AsyncClient, Client
from pytest_django import Settings

from diagsite.api import rate_limits
from diagsite.models import User
from diagsite.roles import seed_roles
from testing.data.access import create_actor_users

PASSWORD = "a password for a test"
PAGES = ["/accounts/login/", "/admin/login/"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> User:
    return User.objects.create_user(username="operator", password=PASSWORD, is_staff=True)


def sign_in(client: Client, page: str, password: str, username: str = "operator") -> Any:
    return client.post(page, {"username": username, "password": password})


def fail_until_locked(client: Client, page: str) -> Any:
    for _attempt in range(settings.SIGN_IN_FAILURES - 1):
        assert sign_in(client, page, "wrong").status_code == 200
    return sign_in(client, page, "wrong")


@pytest.mark.parametrize("page", PAGES)
def test_lockout_refuses_the_right_password_too(client: Client, operator: User, page: str) -> None:
    answer = fail_until_locked(client, page)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= settings.SIGN_IN_PAUSE_SECONDS
    assert "操作太频繁" in answer.content.decode()
    for other in PAGES:
        assert sign_in(client, other, PASSWORD).status_code == 429


def test_lockout_ends_and_is_not_prolonged_by_attempts(client: Client, operator: User) -> None:
    fail_until_locked(client, PAGES[0])
    past = timedelta(seconds=settings.SIGN_IN_PAUSE_SECONDS - 5)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - past)
    assert 0 < int(sign_in(client, PAGES[0], PASSWORD)["Retry-After"]) <= 6
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=10))
    assert sign_in(client, PAGES[0], PASSWORD).status_code == 302


def test_successful_sign_in_resets_the_failure_count(client: Client, operator: User) -> None:
    for _round in range(2):
        for _attempt in range(settings.SIGN_IN_FAILURES - 1):
            sign_in(client, PAGES[0], "wrong")
        assert sign_in(client, PAGES[0], PASSWORD).status_code == 302
        client.logout()


def test_failures_from_another_address_do_not_lock_out_the_owner(
    client: Client, operator: User, settings: Settings
) -> None:
    fail_until_locked(client, PAGES[0])
    elsewhere = Client(REMOTE_ADDR="192.0.2.9")
    assert sign_in(elsewhere, PAGES[0], PASSWORD).status_code == 302


def test_lockout_uses_the_address_reported_by_the_proxy(client: Client, operator: User, settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for number in range(settings.SIGN_IN_FAILURES):  # addresses sent by the client are ignored
        client.defaults["HTTP_X_FORWARDED_FOR"] = f"198.51.100.{number}, 192.0.2.1"
        answer = sign_in(client, PAGES[0], "wrong")
    assert answer.status_code == 429
    assert AccessAttempt.objects.get().ip_address == "192.0.2.1"
    client.defaults["HTTP_X_FORWARDED_FOR"] = "192.0.2.2"
    assert sign_in(client, PAGES[0], PASSWORD).status_code == 302


def test_invalid_client_address_causes_no_server_error(client: Client, operator: User, settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client.defaults["HTTP_X_FORWARDED_FOR"] = "'; DROP TABLE --"
    assert fail_until_locked(client, PAGES[0]).status_code == 429


def test_rows_and_logs_do_not_contain_the_typed_password(
    client: Client, operator: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sign_in(client, PAGES[1], "my-real-password-mistyped", username="my-password-in-the-wrong-field")
    row = str(AccessAttempt.objects.values("post_data", "get_data", "path_info").get())
    for text in (row, caplog.text):
        assert "my-real-password" not in text
        assert "my-password-in" not in text


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("well_inside_a_minute")
async def test_sign_ins_to_many_accounts_from_one_address_are_rate_limited(settings: Settings) -> None:
    settings.SIGN_INS_PER_MINUTE = 3
    rate_limits._limits_by_loop.clear()
    client = AsyncClient()
    answers = [await client.post(PAGES[1], {"username": f"u{n}", "password": "x"}) for n in range(4)]
    rate_limits._limits_by_loop.clear()
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "操作太频繁" in answers[-1].content.decode()
    assert (await client.get(PAGES[1])).status_code == 200


def test_administrator_lifts_a_lockout(client: Client, operator: User) -> None:
    fail_until_locked(client, PAGES[0])
    seed_roles()
    admin = Client()
    operator.delete()
    admin.force_login(create_actor_users()["admin"])
    attempt = AccessAttempt.objects.get()
    User.objects.filter(username="operator").update(password=operator.password)
    assert sign_in(client, PAGES[0], PASSWORD).status_code == 429
    assert admin.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"}).status_code == 302
    assert sign_in(client, PAGES[0], PASSWORD).status_code == 302
