"""Known secrets are stored everywhere, and none of them appears in pages, rows or logs."""

import logging
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from diagsite.accounts import tokens
from diagsite.accounts.deletion import count_rows_containing
from errors.recording import error_recorder
from monitoring.delivery.channel_secrets import encrypt_secrets
from monitoring.models import Channel
from testing.data.access import AccessFixtures
from testing.data.diagnoses import API_KEY_VARIABLE
from tests.access.test_access_table import is_stream_route, read_access_table

MARK = "RecognisableSecret"
PLATFORM_KEY = f"sk-{MARK}-of-a-platform"
ROBOT = f"https://127.0.0.1:9/robot/send?access_token={MARK}-of-a-robot"


@pytest.fixture
def world(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AccessFixtures:
    """The objects of the access table, with secrets in every field that stores one."""
    monkeypatch.setenv(API_KEY_VARIABLE, PLATFORM_KEY)
    settings.METRICS_TOKEN = f"{MARK}-of-metrics"
    settings.ALERTMANAGER_TOKEN = f"{MARK}-of-alertmanager"
    settings.WECHAT_APP_ID, settings.WECHAT_APP_SECRET = "app", f"{MARK}-of-wechat"
    settings.WECHAT_API_BASE = "http://127.0.0.1:9"
    settings.HEARTBEAT_PING_URL = f"http://127.0.0.1:9/ping/{MARK}"
    settings.SECRET_KEY = f"{MARK}-of-the-site"
    world = AccessFixtures()
    root = world.users["root"]
    root.refresh_from_db()
    root.set_password(f"{MARK}-of-root")
    root.save()
    world.client_by_actor["root"].force_login(root)
    Channel.objects.create(
        name="robot", kind=Channel.Kind.DINGTALK, secrets=encrypt_secrets({"address": ROBOT, "key": f"SEC{MARK}"})
    )
    return world


def test_no_page_row_or_log_contains_a_secret(world: AccessFixtures, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    root, token = world.client_by_actor["root"], tokens.issue_token(world.users["owner"]).token
    shown = {route: _text(root.get(world.build_path(route))) for route in _readable()}
    assert len(shown) > 100
    assert "robot" in shown["admin/monitoring/channel/"]
    shown |= {f"failed: {what}": text for what, text in _failures(world, token).items()}
    error_recorder.flush()
    told = f"{MARK}-of-metrics"
    with_bearer = Client(headers={"Authorization": f"Bearer {told}"})
    shown["metrics"], shown["health"] = (_text(with_bearer.get(path)) for path in ("/metrics", "/healthz/full"))
    assert "diagnosis_calls" in shown["metrics"]
    assert [route for route, text in shown.items() if MARK in text or token in text] == []
    assert MARK not in caplog.text
    assert token not in caplog.text
    assert count_rows_containing([MARK, token]) == {}
    assert LogEntry.objects.filter(object_repr="robot").exists()


def _readable() -> list[str]:
    rows = [
        row
        for row in read_access_table()
        if row.method == "GET" and row.statuses[-1] == 200 and not is_stream_route(row)
    ]
    return [row.route for row in rows if row.route not in ("metrics", "admin/logout/")]


def _text(answer: Any) -> str:
    return f"{answer.headers}{str(answer.getvalue(), 'utf-8', 'replace')}"


def _failures(world: AccessFixtures, token: str) -> dict[str, str]:
    """Return the error texts of operations that fail with a secret involved."""
    root = world.client_by_actor["root"]
    channel = Channel.objects.get(name="robot")
    bearer = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
    asked = {
        "a test of the channel": root.post(f"/admin/monitoring/channel/{channel.pk}/test/", follow=True),
        "a faulty form of the channel": root.post(
            f"/admin/monitoring/channel/{channel.pk}/change/", {"name": "", "kind": "dingtalk", "key": f"{MARK}-typed"}
        ),
        "a sign-in at a WeChat that is away": Client().post(
            "/api/session", {"code": f"{MARK}-code"}, content_type="application/json"
        ),
        "a forged token": Client(headers={"Authorization": f"Bearer {MARK}"}).get("/api/platforms"),
        "a wrong password": Client().post("/admin/login/", {"username": "root", "password": f"{MARK}-wrong"}),
        "an order that cannot be read": bearer.post("/api/diagnoses", "{", content_type="application/json"),
        "a page that is not there": bearer.get("/nothing-here"),
    }
    return {what: _text(answer) for what, answer in asked.items()}
