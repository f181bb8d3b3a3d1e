"""Calls go where a list allows, and nowhere else: not by another spelling, a redirect, or a name that leads inside."""

import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import httpx2
import pytest
from django.conf import settings

from performance.ssrf_guard import HostNotAllowed, check_host_allowed, restrict_hosts


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *of_a_request: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server of the inside network."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def lead(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name leads there."""

    def resolve(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def get(address: str, *allowed: str, **options: Any) -> int:
    with restrict_hosts(httpx.Client(trust_env=False, timeout=2, **options), lambda: allowed) as client:
        return client.get(address).status_code


def test_a_host_of_the_list_is_reached(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/", "127.0.0.1") == 200
    assert get(f"http://127.0.0.1:{port}/", "127.0.0.0/8") == 200


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
        "http://api.example.com@127.0.0.1:{port}/",
        "http://api.example.com:80@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@api.example.com/",
        "http://api.example.com.:{port}/",
        "http://api.example.com.evil.example/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_no_other_spelling_opens_the_inside_network(port: int, address: str) -> None:
    with pytest.raises((HostNotAllowed, httpx.InvalidURL)):
        get(address.format(port=port), "api.example.com")


INSIDE = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 "
    "::1 fe80::1 fd00::1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ::"
)


@pytest.mark.parametrize("inside", INSIDE.split())
def test_a_name_of_the_list_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    lead(monkeypatch, "93.184.216.34", inside)
    with pytest.raises(HostNotAllowed, match=r"api\.example\.com leads to"):
        get("https://api.example.com/", "api.example.com")


def test_unless_the_address_is_in_the_list_too(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    lead(monkeypatch, "127.0.0.1")
    assert get(f"http://api.example.com:{port}/", "api.example.com", "127.0.0.0/8") == 200


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]])

    def resolve(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
        found = next(answers) if host == "api.example.com" else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert get(f"http://api.example.com:{port}/", "api.example.com", "127.0.0.1") == 200


def test_a_redirect_leads_nowhere_new(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/away", "127.0.0.1") == 302
    with pytest.raises(HostNotAllowed):
        get(f"http://127.0.0.1:{port}/away", "127.0.0.1", follow_redirects=True)


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_the_door_is_the_same_in_an_event_loop(monkeypatch: pytest.MonkeyPatch, port: int, library: Any) -> None:
    allowed = ["127.0.0.1", "api.example.com"]
    async with restrict_hosts(library.AsyncClient(trust_env=False), lambda: allowed) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
        with pytest.raises(HostNotAllowed):
            await client.get(f"http://localhost:{port}/")
        lead(monkeypatch, "10.0.0.1")
        with pytest.raises(HostNotAllowed, match="inside address"):
            await client.get("http://api.example.com/")


def test_a_host_that_does_not_exist_is_told_as_the_library_tells_it() -> None:
    with pytest.raises(httpx.ConnectError):
        get("http://nothing.invalid/", "nothing.invalid")


def test_a_refusal_does_not_tell_the_address() -> None:
    with pytest.raises(HostNotAllowed) as refusal:
        get("http://evil.example/robot/send?access_token=secret", "api.example.com")
    assert "secret" not in str(refusal.value)


def test_letters_of_either_case_are_one_name() -> None:
    check_host_allowed("API.Example.com", ["api.example.com"])


# They call this site itself, on this machine.
OF_OUR_OWN = {"diagsite/cli/sample.py", "diagsite/server/demo_platform.py"}


def test_every_client_of_ours_is_behind_the_door() -> None:
    makes = re.compile(r"\bhttpx2?\.(Client|AsyncClient|get|post|put|request|stream)\(|AsyncHttpxClient\(|urlopen\(")
    root = Path(settings.BASE_DIR)
    outside = [
        f"{path.relative_to(root)}: {line.strip()}"
        for app in ("diagsite", "diagnosis", "monitoring", "progress", "errors", "performance")
        for path in (root / app).rglob("*.py")
        if "tests" not in path.parts and str(path.relative_to(root)) not in OF_OUR_OWN
        for line in path.read_text().splitlines()
        if makes.search(line) and "guard(" not in line
    ]
    assert outside == []
