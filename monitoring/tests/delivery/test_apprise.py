"""Apprise reaches the host of its service and no other, whatever an operator writes into the address."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from apprise.manager_plugins import NotificationManager

from monitoring.delivery.channels import TRANSPORTS
from monitoring.delivery.channels.apprise import COMMON_OPTIONS, SERVICES
from monitoring.delivery.channels.base import OutgoingMessage
from monitoring.delivery.messages import Message
from monitoring.exceptions import ChannelMisconfigured, ChannelUnavailable
from performance.ssrf_guard import resolve_allowed_addresses
from testing.fakes.chat_bots import FakeChatBots

# An address of each service with a fixed host: tokens of the documented form.
FIXED_HOST_ADDRESSES = {
    "discord": f"discord://123456789012345678/{'a1' * 32}/",
    "flock": f"flock://{'a' * 24}/",
    "gchat": "gchat://workspace/key/token/",
    "line": f"line://{'a1' * 20}/U{'0123456789abcdef' * 2}/",
    "opsgenie": "opsgenie://12345678-1234-1234-1234-123456789012/",
    "pagerduty": "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7F/node/",
    "pbul": f"pbul://{'a1' * 16}/",
    "postmark": f"postmark://{'12345678' * 4}:user@example.com/ops@example.com/",
    "pover": f"pover://{'a' * 30}@{'b' * 30}/",
    "prowl": f"prowl://{'a' * 40}/",
    "pushplus": f"pushplus://{'a1' * 16}/",
    "schan": "schan://SCT123456TabcdefghijklmnopqrstuvwXYZ/",
    "sendgrid": "sendgrid://SGabcdefghijklmnop:from@example.com/ops@example.com/",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "tgram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "twilio": f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15557654321/",
    "wpush": f"wpush://WPUSH{'a' * 27}/",
    "wxpusher": f"wxpusher://AT_{'a1' * 16}/UID_abcdefghijklmnop/",
    "wxteams": f"wxteams://{'a' * 80}/",
}
CUSTOM_HOST_ADDRESSES = {
    "apprise": "apprise://127.0.0.1:{port}/token",
    "bark": "bark://127.0.0.1:{port}/device",
    "form": "form://127.0.0.1:{port}/hook",
    "gotify": "gotify://127.0.0.1:{port}/token",
    "json": "json://127.0.0.1:{port}/hook",
    "mmost": "mmost://127.0.0.1:{port}/3ccdd113474722377935511fc85d3dd4",
    "rocket": "rocket://3ccdd113474722377935511fc85d3dd4/abcdefgh@127.0.0.1:{port}/#channel",
    "xml": "xml://127.0.0.1:{port}/hook",
}
MESSAGE = Message("错误率过高", "fired", "critical", facts=[("当前值", "12.5 %")])


@pytest.fixture
def bots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as bots:
        yield bots


def send(address: str) -> str:
    return TRANSPORTS["apprise"].send(OutgoingMessage(42, MESSAGE, {"address": address}))


def find_error(address: str) -> str:
    return TRANSPORTS["apprise"].validate({"address": address}, []).get("address", "")


class StandIn:
    """Answers for every host at a local server; `hosts` are those that were called."""

    def __init__(self, bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hosts: list[str] = []
        send_unchanged = requests.adapters.HTTPAdapter.send

        def send_to_stand_in(adapter: Any, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            self.hosts.append(urlsplit(request.url or "").hostname or "")
            request.url = f"{bots.url}/hook"
            request.body = json.dumps({"host": self.hosts[-1]}).encode()
            request.headers["Content-Type"], request.headers["Content-Length"] = (
                "application/json",
                str(len(request.body)),
            )
            return send_unchanged(adapter, request, **options)

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_to_stand_in)


def resolve_to(address: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every name of a channel resolve to the address; returns the list of resolved names."""
    names: list[str] = []

    def resolve_instead(host: str, port: int, allowed: Any) -> list[str]:
        names.append(host)
        return resolve_allowed_addresses(address, port, allowed)

    monkeypatch.setattr("monitoring.delivery.channels.apprise.resolve_allowed_addresses", resolve_instead)
    return names


def test_each_service_has_an_address_here() -> None:
    own = {scheme for scheme, service in SERVICES.items() if not service.hosts}
    assert set(FIXED_HOST_ADDRESSES) == set(SERVICES) - own
    assert {scheme.removesuffix("s") for scheme in own} == set(CUSTOM_HOST_ADDRESSES)


@pytest.mark.parametrize("scheme", FIXED_HOST_ADDRESSES)
def test_a_service_with_a_fixed_host_calls_only_that_host(
    scheme: str, bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, stand_in = resolve_to("93.184.216.34", monkeypatch), StandIn(bots, monkeypatch)
    assert find_error(FIXED_HOST_ADDRESSES[scheme]) == ""
    try:
        send(FIXED_HOST_ADDRESSES[scheme])
    except ChannelUnavailable:
        assert scheme in ("opsgenie", "pushplus", "wxpusher", "wpush", "slack")  # expects a body of its own
    assert stand_in.hosts and set(stand_in.hosts) <= set(SERVICES[scheme].hosts)
    assert bots.received and set(names) == set(SERVICES[scheme].hosts)


@pytest.mark.parametrize("scheme", CUSTOM_HOST_ADDRESSES)
def test_a_service_on_an_own_host_calls_that_host(
    scheme: str, bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn(bots, monkeypatch)
    address = CUSTOM_HOST_ADDRESSES[scheme].format(port=bots.server_port)
    assert find_error(address) == ""
    send(address)
    assert set(stand_in.hosts) == {"127.0.0.1"}
    assert "不在允许的主机里" in find_error(address.replace("127.0.0.1", "10.0.0.1"))


@pytest.mark.parametrize("scheme", [*FIXED_HOST_ADDRESSES, *CUSTOM_HOST_ADDRESSES])
def test_every_other_option_is_refused(scheme: str, bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch) -> None:
    address = (FIXED_HOST_ADDRESSES | CUSTOM_HOST_ADDRESSES)[scheme].format(port=bots.server_port)
    stand_in = StandIn(bots, monkeypatch)
    plugins = NotificationManager()  # type: ignore[no-untyped-call]
    known = {*plugins[scheme].template_args, "template", "attach", "include", "rto", "cto", "redirect"}
    dangerous = known - SERVICES[scheme].options - COMMON_OPTIONS
    target = quote(f"{bots.url}/inside", safe="")
    for option in [*sorted(dangerous), *(f"{sign}{name}" for sign in "+-:" for name in ("template", "Host"))]:
        for query in (
            f"?{option}={target}",
            f"?format=text&{option.upper()}={target}",
            f"?{option}=file:///etc/passwd",
        ):
            assert "不支持选项" in find_error(address + query), (option, query)
            with pytest.raises(ChannelMisconfigured):
                send(address + query)
    assert bots.received == [] and stand_in.hosts == []


def test_a_fixed_host_with_an_internal_address_is_not_called(
    bots: FakeChatBots, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to("10.0.0.1", monkeypatch)
    stand_in = StandIn(bots, monkeypatch)
    with pytest.raises(ChannelMisconfigured, match="internal address"):
        send(FIXED_HOST_ADDRESSES["discord"])
    assert stand_in.hosts == []
