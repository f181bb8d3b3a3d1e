"""Other services through Apprise: those with a fixed host, and those on a host in ALERT_HOSTS."""

from typing import Any

from django.conf import settings

from monitoring.delivery.channels.base import ADDRESS, OutgoingMessage, Transport, find_host_error
from monitoring.exceptions import ChannelMisconfigured, ChannelUnavailable
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, resolve_allowed_addresses

# The URL names no host: Apprise contains the host of the service.
FIXED_HOST_SCHEMES = frozenset(
    [
        "discord",
        "flock",
        "gchat",
        "line",
        "opsgenie",
        "pagerduty",
        "pbul",
        "postmark",
        "pover",
        "prowl",
        "pushplus",
        "schan",
        "sendgrid",
        "slack",
        "tgram",
        "twilio",
        "wpush",
        "wxpusher",
        "wxteams",
    ]
)
# The URL names the host, the only one that is called: it must be in ALERT_HOSTS.
CUSTOM_HOST_SCHEMES = frozenset(
    [
        "apprise",
        "apprises",
        "bark",
        "barks",
        "form",
        "forms",
        "gotify",
        "gotifys",
        "json",
        "jsons",
        "mmost",
        "mmosts",
        "rocket",
        "rockets",
        "xml",
        "xmls",
    ]
)
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
        kind = outgoing.message.kind if outgoing.message.kind in NOTIFY_TYPES else outgoing.message.severity
        with measure_call("alerts.apprise") as call:
            try:
                if service.host:
                    resolve_allowed_addresses(str(service.host), service.port or 443, settings.ALERT_HOSTS)
                is_sent = service.notify(
                    title=outgoing.message.headline(outgoing.number),
                    body=outgoing.message.to_text(outgoing.number),
                    notify_type=NOTIFY_TYPES.get(kind, "info"),
                )
            except HostNotAllowed as error:
                raise ChannelMisconfigured(f"{error}（设置 ALERT_HOSTS）") from None
            except Exception as error:
                raise ChannelUnavailable(f"Apprise 出错（{type(error).__name__}）") from error
            if not is_sent:
                call.outcome = "refused"
                raise ChannelUnavailable("Apprise 没有送达，它不说明原因")
        return "ok"


def _find_address_error(address: str) -> str:
    scheme = address.partition("://")[0].lower()
    if scheme not in FIXED_HOST_SCHEMES | CUSTOM_HOST_SCHEMES:
        return (
            f"不支持的 Apprise 服务 {scheme[:20]}，可用：{'、'.join(sorted(FIXED_HOST_SCHEMES | CUSTOM_HOST_SCHEMES))}"
        )
    service = _create_service(address)
    if service is None:
        return "Apprise 不认识这个地址，请对照它的文档"
    return find_host_error(str(service.host)) if scheme in CUSTOM_HOST_SCHEMES else ""


def _create_service(address: str) -> Any:
    import apprise  # takes 0.2 s and 20 MB, so only if a channel needs it

    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True)
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is not None:
        service.redirects = False  # a URL can enable redirects, which could lead to any host
        service.verify_certificate = True
    return service
