"""A hostile operator: which inside addresses and local files can be reached by anything that an operator may enter.

Every name resolves to an inside address, as by a name server of the attacker. An audit hook sees, and refuses, every
connection and every opening of a secret file in the process.
"""

import asyncio
import itertools
import random
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.test import override_settings

from bench.chaos.scenario import ScenarioContext
from bench.harness import BenchmarkResult
from testing.services import find_free_port

INSIDE_ADDRESSES = (
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "fd00::1",
    "fe80::1",
)
ALLOWED_NAMES = ["oapi.dingtalk.com", "hooks.example.com"]  # in the settings; the attacker answers for their names
MAIL_SERVER = "203.0.113.25"  # of the settings, the only address that may be connected to
HOST_SPELLINGS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::1]",
    "[::ffff:7f00:1]",
    "localhost",
    "hooks.example.com@127.0.0.1",
    "127.0.0.1#@hooks.example.com",
    "hooks.example.com\\@127.0.0.1",
    "127.0.0.1%2f@hooks.example.com",
    "hooks.example.com.127.0.0.1.nip.io",
    "hooks.example.com",
)
COMMON_OPTIONS = (
    "template",
    "attach",
    "attachment",
    "include",
    "config",
    "url",
    "host",
    "rto",
    "cto",
    "redirect",
    "verify",
)
REFUSED = "refused by the bench"


@dataclass
class Reached:
    """What was attempted, and what of it was inside."""

    attempts: int = 0
    addresses: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


def run_hostile_operator(context: ScenarioContext) -> BenchmarkResult:
    """Try every Apprise scheme with every option, platforms, webhooks, chat bots and e-mail."""
    limits = {"ALERT_HOSTS": ALLOWED_NAMES, "OUTGOING_HOSTS": ["api.openai.com"], "EMAIL_HOST": MAIL_SERVER}
    with (
        override_settings(**limits, EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend"),
        _watching(context.environment.directory / "secret.json", context.rng) as (reached, canary),
    ):
        for attempt in _list_attempts(canary, find_free_port(), context):
            reached.attempts += 1
            attempt()
    found = [*sorted(reached.addresses), *sorted(reached.files)]
    return BenchmarkResult(
        "inside addresses or local files reached by any operator text "
        "(all Apprise schemes x all options, platforms, webhooks, e-mail)",
        "0",
        f"{len(found)} of {reached.attempts:,} texts{': ' + ', '.join(found)[:200] if found else ''}",
        not found and reached.attempts > 100,
    )


_is_installed = False
_watched: tuple[Reached, Path] | None = None


@contextmanager
def _watching(canary: Path, rng: random.Random) -> Iterator[tuple[Reached, Path]]:
    """Watch connections and files while the block runs, with names that resolve to inside addresses."""
    global _is_installed, _watched
    canary.write_text('{"text": "secret"}')
    reached = Reached()
    if not _is_installed:
        sys.addaudithook(_watch)  # hooks cannot be removed
        _is_installed = True
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        try:
            return real(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            address = rng.choice(INSIDE_ADDRESSES)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 6, "", (address, int(port or 0)))]

    socket.getaddrinfo = resolve
    _watched = reached, canary
    try:
        yield reached, canary
    finally:
        _watched = None
        socket.getaddrinfo = real


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is None:
        return
    reached, canary = _watched
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple):
            if address[0] != MAIL_SERVER:
                reached.addresses.add(str(address[0]))
            raise ConnectionRefusedError(REFUSED)
    elif event == "open" and str(arguments[0]) in (str(canary), "/etc/passwd"):
        reached.files.add(str(arguments[0]))
        raise PermissionError(REFUSED)


def _list_attempts(canary: Path, port: int, context: ScenarioContext) -> Iterator[Callable[[], bool]]:
    hosts = [f"{host}:{port}" for host in HOST_SPELLINGS]
    yield from _attack_apprise(canary, hosts, context.size.schemes)
    yield from _attack_urls(hosts)
    yield from _attack_platforms(hosts)
    yield from _attack_mail(hosts)


def _attack_apprise(canary: Path, hosts: Sequence[str], schemes: int | None) -> Iterator[Callable[[], bool]]:
    """Every scheme and every option that Apprise knows, not only those that the site offers."""
    from apprise.manager_plugins import NotificationManager

    from monitoring.delivery.channels.apprise import SERVICES

    plugins: Any = NotificationManager()  # type: ignore[no-untyped-call]
    known = sorted(set(plugins.schemas(include_disabled=True)) | set(SERVICES))
    offered = [scheme for scheme in known if scheme in SERVICES]
    targets = [f"http://{hosts[0]}/inside", f"file://{canary}", str(canary), "file:///etc/passwd"]
    for scheme in [*offered, *(scheme for scheme in known if scheme not in SERVICES)][:schemes]:
        for path in _list_paths(scheme, hosts):
            yield _send_through("apprise", f"{scheme}://{path}")
        options = [*plugins[scheme].template_args] if scheme in plugins else []
        for option, target in itertools.product(dict.fromkeys([*options, *COMMON_OPTIONS]), targets):
            for prefix in ("", "+", "-", ":"):
                address = f"{scheme}://{_list_paths(scheme, hosts)[0]}?{quote(prefix)}{option}={quote(target, safe='')}"
                yield _send_through("apprise", address)


def _list_paths(scheme: str, hosts: Sequence[str]) -> list[str]:
    tokens = "123456789012345678/" + "a1" * 32 + "/"
    own_hosts = [f"{host}/{tokens}" for host in hosts]
    return [tokens, *own_hosts, *(f"user:{'b' * 32}@{path}" for path in own_hosts)]


def _attack_urls(hosts: Sequence[str]) -> Iterator[Callable[[], bool]]:
    for kind in ("webhook", "dingtalk", "wecom", "feishu"):
        for scheme, host in itertools.product(("https", "http", "file", "gopher", "https:/"), hosts):
            for path in ("/hook", "/robot/send?access_token=x", "@oapi.dingtalk.com/", "\r\nHost: x/"):
                yield _send_through(kind, f"{scheme}://{host}{path}")


def _send_through(kind: str, address: str) -> Callable[[], bool]:
    def send() -> bool:
        from monitoring.delivery.channels import TRANSPORTS
        from monitoring.delivery.channels.base import OutgoingMessage
        from monitoring.delivery.messages import Message
        from monitoring.exceptions import DeliveryFailed

        message = Message("错误率过高", "fired", "critical", facts=[("当前值", "12.5 %")])
        secrets = {"address": address, "key": "k"}
        TRANSPORTS[kind].validate(secrets, [])
        try:
            TRANSPORTS[kind].send(OutgoingMessage(1, message, secrets))
        except DeliveryFailed:
            return False
        return True

    return send


def _attack_platforms(hosts: Sequence[str]) -> Iterator[Callable[[], bool]]:
    for scheme, host in itertools.product(("https", "http", "ftp", "file"), hosts):
        for path in ("/v1", "/v1?x=", "@api.openai.com/v1", "\\@api.openai.com/v1"):
            yield lambda url=f"{scheme}://{host}{path}": asyncio.run(_call_platform(url))  # type: ignore[misc]


async def _call_platform(base_url: str) -> bool:
    from diagnosis.platforms.transport import PlatformRequest, TransportError, send

    request = PlatformRequest("POST", f"{base_url}/chat/completions", {"Authorization": "Bearer k"}, b"{}")
    try:
        await send(request, timeout_seconds=2)
    except TransportError:
        return False
    return True


def _attack_mail(hosts: Sequence[str]) -> Iterator[Callable[[], bool]]:
    """No recipient makes the site connect to another server than the mail server of the settings."""
    texts = ("root@[{}]", "root@{}", "x@y.example\r\nBcc: root@{}")
    recipients = [text.format(host) for host in hosts for text in texts]
    for recipient in [*recipients, "|/bin/sh", "/etc/passwd"]:
        yield lambda recipient=recipient: _send_mail(recipient)  # type: ignore[misc]


def _send_mail(recipient: str) -> bool:
    from monitoring.delivery.channels import TRANSPORTS
    from monitoring.delivery.channels.base import OutgoingMessage
    from monitoring.delivery.messages import Message
    from monitoring.exceptions import DeliveryFailed

    TRANSPORTS["email"].validate({}, [recipient])
    try:
        TRANSPORTS["email"].send(OutgoingMessage(1, Message("t", "fired", "info"), {}, [recipient]))
    except DeliveryFailed:
        return False
    return True
