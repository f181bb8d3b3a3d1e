"""The upgrade of a connection: headers that WeChat sends on some devices do not prevent it."""

import re
import socket
from collections.abc import Iterator

import httpx
import pytest

from testing.clients.raw_websocket import build_upgrade_request
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site, running_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(concurrency=0, LOG_LEVEL="INFO", LOG_FORMAT="json") as running:
        yield running


ORIGINS = [
    "null",
    "https://servicewechat.com",
    "weapp://wx0123456789abcdef",
    "weapp://",
    "http://host,undefined",
    "http://127.0.0.1:8080,undefined",
    "http://host:undefined",
    "http://[",
    "undefined",
    "file://",
    "",
    "\xff",
]


def test_no_origin_prevents_the_upgrade_and_each_is_logged(site: Site) -> None:
    statuses = {}
    for origin in ORIGINS:
        with socket.create_connection(("127.0.0.1", site.port), timeout=120) as connection:
            connection.sendall(build_upgrade_request("/ws/nowhere/", f"Origin: {origin}", "X-Last: Origin: none"))
            received = b""
            while not received.endswith((4404).to_bytes(2, "big")) and (data := connection.recv(65_536)):
                received += data
            statuses[origin] = received.partition(b"\r\n")[0]
    assert set(statuses.values()) == {b"HTTP/1.1 101 Switching Protocols"}, statuses
    logged = re.findall(r'"origin": "([^"]*)"', site.server.read_output())
    assert logged == [origin.encode("latin-1").decode("latin-1") for origin in ORIGINS]


@pytest.mark.parametrize("origin", ["null", "https://servicewechat.com", "weapp://", "http://host:undefined"])
def test_no_origin_prevents_signing_in_and_a_call_with_a_token(site: Site, origin: str) -> None:
    headers = {"Origin": origin, "Referer": "https://servicewechat.com/wx0/1/page-frame.html"}
    with httpx.Client(base_url=site.url, headers=headers, **LOCAL_HTTPX_OPTIONS) as client:
        session = client.post("/api/session", json={"device_id": "device-of-a-phone"})
        assert session.status_code == 200
        authorization = {"Authorization": f"Bearer {session.json()['token']}"}
        # 422: the order is incomplete, but has been read.
        assert client.post("/api/diagnoses", json={}, headers=authorization).status_code == 422
