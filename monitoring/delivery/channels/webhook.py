"""A signed JSON POST to a URL of the operators."""

import hashlib
import hmac
import time

from monitoring.delivery.channels.base import ADDRESS, KEY, OutgoingMessage, UrlTransport, get_checked_url
from monitoring.delivery.channels.http_post import classify_http_status, post, to_json_bytes


class Webhook(UrlTransport):
    """X-Alert-Signature is `sha256=` and the hex HMAC of "timestamp.body"; Idempotency-Key is the message number."""

    hints = {
        ADDRESS: "接收 JSON 的 https 地址，其主机须在设置 ALERT_HOSTS 里",
        KEY: "签名密钥：X-Alert-Signature = sha256=HMAC-SHA256(密钥, “时间戳.正文”)；留空则不签名",
    }

    def send(self, outgoing: OutgoingMessage) -> str:
        """Post the message; any 2xx is success."""
        address, key = get_checked_url(outgoing.secrets), outgoing.secrets.get(KEY, "")
        body, message = outgoing.message.to_dict(), outgoing.message
        content = to_json_bytes({"number": outgoing.number, **body, "text": message.to_text(outgoing.number)})
        timestamp = str(int(time.time()))
        headers = {"X-Alert-Timestamp": timestamp, "Idempotency-Key": str(outgoing.number)}
        if key:
            signature = hmac.new(key.encode(), f"{timestamp}.".encode() + content, hashlib.sha256).hexdigest()
            headers["X-Alert-Signature"] = f"sha256={signature}"
        result = post("alerts.webhook", address, content, headers=headers)
        failure = classify_http_status(result)
        if failure:
            raise failure
        return str(result.status)
