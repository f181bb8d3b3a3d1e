"""Compression of frames on a real socket."""

import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from testing.fakes.platform import FakePlatform
from testing.invariants import StartedDiagnosis, request_diagnosis
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site, running_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with FakePlatform() as fake, running_site() as running:
        running.add_platform("one", fake.base_url)
        yield running


@pytest.fixture(scope="module")
def ordered(site: Site) -> StartedDiagnosis:
    with site.client() as client:
        return request_diagnosis(client, ["one"], questions=10)


def _connect(site: Site, ordered: StartedDiagnosis, compression: str | None) -> ClientConnection:
    address = f"{site.url.replace('http', 'ws')}/ws/diagnosis/{ordered.stream}/"
    return connect(address, proxy=None, close_timeout=0.1, compression=compression)


def _events_until_the_end(ws: ClientConnection, token: str) -> list[list[object]]:
    ws.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
    events: list[list[object]] = []
    while not events or events[-1][1] != "complete":
        frame = json.loads(ws.recv(30))
        events += frame.get("e", [])
    return events


def test_compressed_and_plain_sockets_get_the_same_events(site: Site, ordered: StartedDiagnosis) -> None:
    with _connect(site, ordered, "deflate") as small, _connect(site, ordered, None) as plain:
        assert small.response
        assert plain.response
        assert "permessage-deflate" in small.response.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in plain.response.headers
        token = site.token()
        assert _events_until_the_end(small, token) == _events_until_the_end(plain, token)


def test_frame_that_decompresses_beyond_the_limit_closes_only_its_socket(site: Site, ordered: StartedDiagnosis) -> None:
    with _connect(site, ordered, "deflate") as ws:
        ws.send(" " * 50_000_000)
        with pytest.raises(ConnectionClosed):
            ws.recv(30)
    assert httpx.get(f"{site.url}/readyz", **LOCAL_HTTPX_OPTIONS).status_code == 200


def test_too_big_message_closes_with_1009(site: Site, ordered: StartedDiagnosis) -> None:
    with _connect(site, ordered, None) as ws:
        ws.send("y" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(30)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009
