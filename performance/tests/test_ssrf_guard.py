"""The SSRF guard blocks hosts that are not allowed: by other spellings, redirects, and names of internal addresses."""

import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from django.conf import settings

from performance.ssrf_guard import HostNotAllowed, check_host_allowed, resolve_allowed_addresses, restrict_hosts


class _RedirectingHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of a server at an internal address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _RedirectingHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def resolve_all_names_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def get(address: str, *allowed: str, **options: Any) -> int:
    with restrict_hosts(httpx.Client(trust_env=False, timeout=2, **options), lambda: allowed) as client:
        return client.get(address).status_code


def test_an_allowed_host_is_reached(port: int) -> None:
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
def test_other_spellings_of_an_internal_address_are_blocked(port: int, address: str) -> None:
    with pytest.raises((HostNotAllowed, httpx.InvalidURL)):
        get(address.format(port=port), "api.example.com")


INTERNAL_ADDRESSES = (
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 "
    "192.0.0.8 192.0.0.170 192.88.99.1 198.18.0.1 203.0.113.5 240.0.0.1 255.255.255.255 "
    "::1 fe80::1 fd00::1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2002:5db8:d822:: :: ff02::1 "
    # IPv4-compatible, local NAT64, site-local, translated, Teredo, documentation, discard-only, segment routing
    "::7f00:1 ::a00:1 64:ff9b:1::a00:1 fec0::1 ::ffff:0:a00:1 2001::1 2001:db8::1 3fff::1 100::1 5f00::1"
)
PUBLIC_ADDRESSES = "93.184.216.34 1.1.1.1 192.0.1.1 2606:4700::1111 2400:3200::1 64:ff9b::5db8:d822 ::ffff:1.1.1.1"


@pytest.mark.parametrize("address", INTERNAL_ADDRESSES.split())
def test_an_allowed_name_with_an_internal_address_is_blocked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolve_all_names_to(monkeypatch, "93.184.216.34", address)
    with pytest.raises(HostNotAllowed, match=r"api\.example\.com resolves to"):
        get("https://api.example.com/", "api.example.com")


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES.split())
def test_public_addresses_are_allowed(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolve_all_names_to(monkeypatch, address)
    assert resolve_allowed_addresses("api.example.com", 443, []) == [address]


def test_an_internal_address_is_reached_when_it_is_allowed_itself(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve_all_names_to(monkeypatch, "127.0.0.1")
    assert get(f"http://api.example.com:{port}/", "api.example.com", "127.0.0.0/8") == 200


def test_the_connection_uses_the_checked_address(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]])

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        addresses = next(answers) if host == "api.example.com" else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert get(f"http://api.example.com:{port}/", "api.example.com", "127.0.0.1") == 200


def test_redirects_are_checked(port: int) -> None:
    assert get(f"http://127.0.0.1:{port}/away", "127.0.0.1") == 302
    with pytest.raises(HostNotAllowed):
        get(f"http://127.0.0.1:{port}/away", "127.0.0.1", follow_redirects=True)


async def test_asynchronous_clients_are_restricted(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    allowed = ["127.0.0.1", "api.example.com"]
    async with restrict_hosts(httpx.AsyncClient(trust_env=False), lambda: allowed) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
        with pytest.raises(HostNotAllowed):
            await client.get(f"http://localhost:{port}/")
        resolve_all_names_to(monkeypatch, "10.0.0.1")
        with pytest.raises(HostNotAllowed, match="internal address"):
            await client.get("http://api.example.com/")


def test_an_unknown_host_raises_the_error_of_the_library() -> None:
    with pytest.raises(httpx.ConnectError):
        get("http://nothing.invalid/", "nothing.invalid")


def test_the_error_does_not_contain_the_url() -> None:
    with pytest.raises(HostNotAllowed) as blocked:
        get("http://evil.example/robot/send?access_token=secret", "api.example.com")
    assert "secret" not in str(blocked.value)


def test_host_names_are_case_insensitive() -> None:
    check_host_allowed("API.Example.com", ["api.example.com"])


# These call this site itself, on this machine.
CLIENTS_OF_THIS_SITE = {"diagsite/cli/sample.py", "diagsite/server/demo_platform.py"}
# Its resolver is guarded: diagnosis/tests/platforms/test_transport.py.
AIOHTTP_TRANSPORT = "diagnosis/platforms/transport.py"


def test_all_http_clients_are_restricted() -> None:
    client_call = re.compile(
        r"\bhttpx\.(Client|AsyncClient|get|post|put|request|stream)\(|urlopen\(|aiohttp\.(ClientSession|request)\("
    )
    root = Path(settings.BASE_DIR)
    unrestricted = []
    for app in ("diagsite", "diagnosis", "monitoring", "progress", "errors", "performance"):
        for path in (root / app).rglob("*.py"):
            if "tests" in path.parts or str(path.relative_to(root)) in {*CLIENTS_OF_THIS_SITE, AIOHTTP_TRANSPORT}:
                continue
            text = path.read_text()
            for match in client_call.finditer(text):
                if not re.search(r"\brestrict_hosts\(\s*[\w.]*$", text[: match.start()]):
                    unrestricted.append(f"{path.relative_to(root)}: {match.group()}")
    assert unrestricted == []
