"""Other services through Apprise: those with a fixed host, and those on a host in ALERT_HOSTS.

Apprise has more services and options than are safe: some options fetch an address, read a file of the server, or wait
for hours. A service therefore has an entry in SERVICES with the options that are known to be harmless.
"""

import socket
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from monitoring.delivery.channels.base import ADDRESS, OutgoingMessage, Transport, find_host_error
from monitoring.exceptions import ChannelMisconfigured, ChannelUnavailable, ChannelUnreachable
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, resolve_allowed_addresses

COMMON_OPTIONS = frozenset({"format", "overflow"})


@dataclass(frozen=True)
class AppriseService:
    """hosts: what Apprise calls; empty if the address names the host. options: allowed besides COMMON_OPTIONS."""

    hosts: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()


_PRIORITY = frozenset({"priority"})
_OWN_HOST = AppriseService()
SERVICES = {
    "discord": AppriseService(("discord.com",)),
    "flock": AppriseService(("api.flock.com",)),
    "gchat": AppriseService(("chat.googleapis.com",)),
    "line": AppriseService(("api.line.me",)),
    "opsgenie": AppriseService(("api.opsgenie.com", "api.eu.opsgenie.com"), _PRIORITY | {"region"}),
    "pagerduty": AppriseService(("events.pagerduty.com", "events.eu.pagerduty.com"), frozenset({"region"})),
    "pbul": AppriseService(("api.pushbullet.com",)),
    "postmark": AppriseService(("api.postmarkapp.com",)),
    "pover": AppriseService(("api.pushover.net",), _PRIORITY),
    "prowl": AppriseService(("api.prowlapp.com",), _PRIORITY),
    "pushplus": AppriseService(("www.pushplus.plus",)),
    "schan": AppriseService(("sctapi.ftqq.com",)),
    "sendgrid": AppriseService(("api.sendgrid.com",)),
    "slack": AppriseService(("slack.com", "hooks.slack.com")),
    "tgram": AppriseService(("api.telegram.org",), frozenset({"silent", "thread"})),
    "twilio": AppriseService(("api.twilio.com",)),
    "wpush": AppriseService(("api.wpush.cn",)),
    "wxpusher": AppriseService(("wxpusher.zjiecode.com",)),
    "wxteams": AppriseService(("webexapis.com", "api.ciscospark.com")),
    **dict.fromkeys(("apprise", "apprises", "rocket", "rockets"), _OWN_HOST),
    **dict.fromkeys(("form", "forms", "json", "jsons", "xml", "xmls"), _OWN_HOST),
    **dict.fromkeys(("bark", "barks"), AppriseService(options=frozenset({"group", "level"}))),
    **dict.fromkeys(("gotify", "gotifys"), AppriseService(options=_PRIORITY)),
    **dict.fromkeys(("mmost", "mmosts"), AppriseService(options=frozenset({"channel"}))),
}
NOTIFY_TYPES = {"resolved": "success", "info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


class Apprise(Transport):
    """Apprise reports only success or failure, so every failure is retried."""

    required_fields = accepted_fields = frozenset({ADDRESS})
    hints = {
        ADDRESS: "Apprise 地址，例如 slack://…、tgram://…、gotifys://主机/令牌；钉钉、企业微信、飞书请用各自的类型"
    }

    def validate(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Check that the scheme is supported, Apprise can parse the URL, and the host is allowed."""
        address = secrets.get(ADDRESS, "")
        error = _find_address_error(address) if address else ""
        return {ADDRESS: error} if error else {}

    def send(self, outgoing: OutgoingMessage) -> str:
        """Send through Apprise, which pauses between messages for some seconds."""
        address = outgoing.secrets.get(ADDRESS, "")
        address_error = _find_address_error(address) if address else "没有填写地址"
        if address_error:
            raise ChannelMisconfigured(address_error)
        service = _create_service(address)
        hosts = SERVICES[_get_scheme(address)].hosts
        kind = outgoing.message.kind if outgoing.message.kind in NOTIFY_TYPES else outgoing.message.severity
        with measure_call("alerts.apprise") as call:
            try:
                for host in hosts or (str(service.host),):
                    resolve_allowed_addresses(host, service.port or 443, [*hosts, *settings.ALERT_HOSTS])
                is_sent = service.notify(
                    title=outgoing.message.headline(outgoing.number),
                    body=outgoing.message.to_text(outgoing.number),
                    notify_type=NOTIFY_TYPES.get(kind, "info"),
                )
            except HostNotAllowed as error:
                raise ChannelMisconfigured(f"{error}（设置 ALERT_HOSTS）") from None
            except socket.gaierror as error:
                raise ChannelUnreachable("域名无法解析") from error
            except Exception as error:
                raise ChannelUnavailable(f"Apprise 出错（{type(error).__name__}）") from error
            if not is_sent:
                call.outcome = "refused"
                raise ChannelUnavailable("Apprise 没有送达，它不说明原因")
        return "ok"


def _get_scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def _find_address_error(address: str) -> str:
    scheme = _get_scheme(address)
    allowed = SERVICES.get(scheme)
    if allowed is None:
        return f"不支持的 Apprise 服务 {scheme[:20]}，可用：{'、'.join(sorted(SERVICES))}"
    options = allowed.options | COMMON_OPTIONS
    if unknown := sorted(_parse_options(address) - options):
        return f"不支持选项 {'、'.join(unknown)[:60]}，{scheme} 可用：{'、'.join(sorted(options))}"
    service = _create_service(address)
    if service is None:
        return "Apprise 不认识这个地址，请对照它的文档"
    return "" if allowed.hosts else find_host_error(str(service.host))


def _parse_options(address: str) -> set[str]:
    """Return the names of the address's options as Apprise reads them."""
    from apprise.utils.parse import parse_url

    parsed = parse_url(address, verify_host=False) or {}  # type: ignore[no-untyped-call]
    return {name.lower() for name in parsed.get("qsd", {})}


def _create_service(address: str) -> Any:
    import apprise  # takes 0.2 s and 20 MB, so only if a channel needs it

    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True)
    return apprise.Apprise.instantiate(address, asset=asset)
