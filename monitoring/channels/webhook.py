"""A JSON POST to an address of the operators' own, signed so that they know from whom it is."""

import hashlib
import hmac
import time

from monitoring.channels.base import ADDRESS, KEY, Sending, Transport, checked_address, fault_of_address
from monitoring.channels.posting import failure_of_status, post
from monitoring.messages import json_bytes


class Webhook(Transport):
    """X-Alert-Signature is `sha256=` and the HMAC of "timestamp.body" in hex; Idempotency-Key the message's number."""

    needs = frozenset({ADDRESS})
    takes = frozenset({ADDRESS, KEY})
    hints = {
        ADDRESS: "接收 JSON 的 https 地址，其主机须在设置 ALERT_HOSTS 里",
        KEY: "签名密钥：X-Alert-Signature = sha256=HMAC-SHA256(密钥, “时间戳.正文”)；留空则不签名",
    }

    def faults(self, secrets: dict[str, str], recipients: list[str]) -> dict[str, str]:
        """Of the address."""
        address = secrets.get(ADDRESS, "")
        fault = fault_of_address(address) if address else ""
        return {ADDRESS: fault} if fault else {}

    def send(self, sending: Sending) -> str:
        """Any 2xx is success."""
        address, key = checked_address(sending.secrets), sending.secrets.get(KEY, "")
        body, message = sending.message.to_store(), sending.message
        content = json_bytes({"number": sending.number, **body, "text": message.text(sending.number)})
        timestamp = str(int(time.time()))
        headers = {"X-Alert-Timestamp": timestamp, "Idempotency-Key": str(sending.number)}
        if key:
            signed = hmac.new(key.encode(), f"{timestamp}.".encode() + content, hashlib.sha256).hexdigest()
            headers["X-Alert-Signature"] = f"sha256={signed}"
        answer = post("alerts.webhook", address, content, headers=headers)
        failure = failure_of_status(answer)
        if failure:
            raise failure
        return str(answer.status)
