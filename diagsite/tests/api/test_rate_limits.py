"""Rate limits: the responses, separate counts per client, and operation without Redis."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client, RequestFactory
from pytest_django import Settings

from diagsite.accounts.tokens import issue_token
from diagsite.api.rate_limits import get_caller_key
from diagsite.models import User
from diagsite.web.client_ip import get_address_key, get_client_ip
from testing.invariants import build_diagnosis_body
from testing.services import RedisServer, wait_for_minute_start
from testing.site import running_site

FEW = {"CALLS_PER_MINUTE": "5", "SIGN_INS_PER_MINUTE": "3", "STARTS_PER_MINUTE": "2"}


def test_each_limit_refuses_its_requests_with_a_retry_time() -> None:
    with running_site(**FEW) as site, ExitStack() as stack:
        wait_for_minute_start()
        client, other_client = (stack.enter_context(site.client(f"device-{name}")) for name in ("one", "two"))
        calls = [client.get("/api/platforms") for _ in range(6)]
        assert Counter(call.status_code for call in calls) == {200: 5, 429: 1}
        body = calls[-1].json()
        assert (body["code"], body["retryable"]) == ("RATE_LIMITED", True)
        assert 0 < body["retry_after_ms"] <= 120_000
        assert int(calls[-1].headers["Retry-After"]) >= 1
        assert body["copy"]["title"] == "操作太频繁"

        assert other_client.get("/api/platforms").status_code == 200
        orders = [other_client.post("/api/diagnoses", json=build_diagnosis_body(["demo-fast"])) for _ in range(3)]
        assert [order.status_code for order in orders] == [202, 202, 429]

        sign_ins = [other_client.post("/api/session", json={"device_id": f"device-{n}"}, headers={}) for n in range(2)]
        assert sign_ins[-1].status_code == 429


@pytest.mark.redis
def test_limits_apply_without_redis(redis_server: RedisServer) -> None:
    with running_site(REDIS_URL=redis_server.url, **FEW) as site, site.client() as client:
        redis_server.stop()
        wait_for_minute_start()
        calls = [client.get("/api/platforms") for _ in range(6)]
        assert Counter(call.status_code for call in calls) == {200: 5, 429: 1}


def spell_variants(token: str) -> Iterator[dict[str, str]]:
    """Header variants of one token, valid or not, some with another session cookie."""
    rng = random.Random(20)
    for number in range(1000):
        scheme = "".join(rng.choice((letter.upper(), letter)) for letter in "bearer")
        padding = rng.choice(("", " ", "\t", "x", ",", ".")) * rng.randint(0, 3)
        variant = {
            "Authorization": rng.choice((f"{scheme} {token}{padding}", f"{scheme}{padding} {token}", f"junk {number}"))
        }
        if rng.random() < 0.5:
            variant["Cookie"] = f"{settings.SESSION_COOKIE_NAME}=session{number}"
        yield variant


@pytest.mark.django_db
def test_no_spelling_of_a_credential_is_a_fresh_caller() -> None:
    user = User.objects.create_user(username="device-one", password=None)
    token = issue_token(user).token
    factory = RequestFactory()
    keys = set()
    for headers in spell_variants(token):
        request = factory.get("/api/platforms", headers=headers)
        request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        keys.add(async_to_sync(get_caller_key)(request))
    assert keys == {"", f"user:{user.pk}"}  # without a valid credential only the address counts


@pytest.mark.django_db
def test_a_new_session_of_a_user_is_not_a_fresh_caller() -> None:
    user = User.objects.create_user(username="page", password=None)
    keys = set()
    for _sign_in in range(3):
        client = Client()
        client.force_login(user)
        request = RequestFactory().get("/api/platforms")
        request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
        request.session = SessionStore(request.COOKIES[settings.SESSION_COOKIE_NAME])
        keys.add(async_to_sync(get_caller_key)(request))
    assert keys == {f"user:{user.pk}"}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.1.1.1, 2.2.2.2, 203.0.113.9", "203.0.113.9"),
        (2, "1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "1.1.1.1", "192.0.2.1"),
        (1, "1.1.1.1, not an address", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
    ],
)
def test_the_address_is_what_the_trusted_proxies_have_seen(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER, settings.TRUSTED_PROXIES = ("HTTP_X_FORWARDED_PROTO", "https"), proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.1")
    assert get_address_key(get_client_ip(request)) == expected
