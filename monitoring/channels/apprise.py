"""Any other service, through Apprise: those whose host is fixed by the service, and those on a host we allow."""

from typing import Any

from django.conf import settings

from monitoring.channels.base import ADDRESS, Sending, Transport, fault_of_host
from monitoring.exceptions import ChannelFailing, ChannelRefused
from performance.doors import AddressRefused, check_resolved
from performance.outgoing import measured_call

# Where the address names no host: the service's own is in Apprise's code.
FIXED = frozenset(
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
# Where the address names the host, and nothing else that would be called: it must be in ALERT_HOSTS.
ON_A_HOST = frozenset(
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
TYPES = {"resolved": "success", "info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


class Apprise(Transport):
    """Apprise tells success from failure and nothing more: a failure is tried again."""

    needs = takes = frozenset({ADDRESS})
    hints = {
        ADDRESS: "Apprise 地址，例如 slack://…、tgram://…、gotifys://主机/令牌；钉钉、企业微信、飞书请用各自的类型"
    }

    def faults(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """A scheme that we let through, an address that Apprise understands, a host that is allowed."""
        address = secrets.get(ADDRESS, "")
        fault = _fault_of(address) if address else ""
        return {ADDRESS: fault} if fault else {}

    def send(self, sending: Sending) -> str:
        """Apprise sleeps between two messages by itself, so this can take some seconds."""
        address = sending.secrets.get(ADDRESS, "")
        fault = _fault_of(address) if address else "没有填写地址"
        if fault:
            raise ChannelRefused(fault)
        service = _service_of(address)
        kind = sending.message.kind if sending.message.kind in TYPES else sending.message.severity
        with measured_call("alerts.apprise") as call:
            try:
                if service.host:
                    check_resolved(str(service.host), service.port or 443, settings.ALERT_HOSTS)
                is_sent = service.notify(
                    title=sending.message.headline(sending.number),
                    body=sending.message.text(sending.number),
                    notify_type=TYPES.get(kind, "info"),
                )
            except AddressRefused as error:
                raise ChannelRefused(f"{error}（设置 ALERT_HOSTS）") from None
            except Exception as error:
                raise ChannelFailing(f"Apprise 出错（{type(error).__name__}）") from error
            if not is_sent:
                call.outcome = "refused"
                raise ChannelFailing("Apprise 没有送达，它不说明原因")
        return "ok"


def _fault_of(address: str) -> str:
    scheme = address.partition("://")[0].lower()
    if scheme not in FIXED | ON_A_HOST:
        return f"不支持的 Apprise 服务 {scheme[:20]}，可用：{'、'.join(sorted(FIXED | ON_A_HOST))}"
    service = _service_of(address)
    if service is None:
        return "Apprise 不认识这个地址，请对照它的文档"
    return fault_of_host(str(service.host)) if scheme in ON_A_HOST else ""


def _service_of(address: str) -> Any:
    import apprise  # 0.2 s and 20 MB, for who has such a channel

    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True)
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is not None:
        service.redirects = False  # an address can ask for it: redirects could lead to any host
        service.verify_certificate = True
    return service
