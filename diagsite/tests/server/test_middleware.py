"""Django's middleware does its work from the event loop too, without a thread for each half."""

from typing import Any

import pytest
from django.test import AsyncClient
from pytest_django import Settings

from diagsite.models import User

PASSWORD = "a password for a test"


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(enforce_csrf_checks=True)


async def test_the_headers_are_there(client: AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Content-Language"] == "zh-hans"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert (await client.get("/healthz", headers={"accept-language": "en"}))["Content-Language"] == "en"


async def test_a_page_may_load_what_is_ours_and_nothing_else(client: AsyncClient) -> None:
    policy = dict(
        part.split(" ", 1) for part in (await client.get("/accounts/login/"))["Content-Security-Policy"].split("; ")
    )
    assert policy["connect-src"] == "'self' ws://testserver"
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert "unsafe" not in str(policy)
    secure = await client.get("/accounts/login/", secure=True)
    assert "wss://testserver" in secure["Content-Security-Policy"]


async def test_http_is_sent_to_https_where_it_must_be(client: AsyncClient, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = await client.get("/accounts/login/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/accounts/login/")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz/full", "/metrics"])
async def test_probes_by_address_are_neither_refused_nor_redirected(
    client: AsyncClient, settings: Settings, path: str
) -> None:
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["site.example"]
    assert (await client.get(path)).status_code == 200
    assert (await client.get("/")).status_code == 400
    assert (await client.get("/", headers={"x-forwarded-proto": "https"}, secure=True)).status_code == 400


@pytest.mark.django_db(transaction=True)
async def test_a_forged_form_is_refused_and_a_true_one_signs_in(client: AsyncClient) -> None:
    await User.objects.acreate_user(username="operator", password=PASSWORD, is_staff=True)
    form = {"username": "operator", "password": PASSWORD}
    assert (await client.post("/accounts/login/", form)).status_code == 403
    token = (await client.get("/accounts/login/")).cookies["csrftoken"].value
    answer = await client.post("/accounts/login/", {**form, "csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    assert (await client.get("/admin/")).status_code == 200  # the session was written, and is read


@pytest.mark.django_db(transaction=True)
async def test_a_message_is_told_once(client: AsyncClient) -> None:
    operator = await User.objects.acreate_superuser(username="operator", password=PASSWORD)
    await client.aforce_login(operator)
    token = (await client.get("/admin/auth/group/add/")).cookies["csrftoken"].value
    answer: Any = await client.post(
        "/admin/auth/group/add/", {"name": "值班", "csrfmiddlewaretoken": token}, follow=True
    )
    assert "成功" in answer.content.decode()
    assert "成功" not in (await client.get("/admin/auth/group/")).content.decode()
