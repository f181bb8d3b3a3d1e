"""A fake of Tencent Cloud's text moderation, which verifies the signature of each request."""

import base64
import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(\S+)/(\d{4}-\d\d-\d\d)/tms/tc3_request, SignedHeaders=([a-z;-]+), Signature=(\w+)"
)


class FakeTencent(ThreadingHTTPServer):
    """The server. `judged_words` have a suggestion, "Block" or "Review"; `status` is that of all responses."""

    daemon_threads = True

    def __init__(self, secret_id: str, secret_key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.secret_id, self.secret_key = secret_id, secret_key
        self.judged_words: dict[str, str] = {}
        self.status = 200
        self.checked: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, headers: dict[str, str], payload: bytes) -> dict[str, Any]:
        """Return the response to a request, an error if it is not signed with the secret key."""
        if headers["x-tc-action"] != "TextModeration" or headers["x-tc-version"] != "2020-12-29":
            return {"Error": {"Code": "InvalidAction", "Message": ""}}
        if not self._is_signed(headers, payload):
            return {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": ""}}
        text = base64.b64decode(json.loads(payload)["Content"]).decode()
        if len(text) > 10_000:
            return {"Error": {"Code": "InvalidParameter.InvalidTextSize", "Message": ""}}
        self.checked.append(text)
        suggestions = {suggestion for word, suggestion in self.judged_words.items() if word in text}
        return {
            "Suggestion": next((value for value in ("Block", "Review") if value in suggestions), "Pass"),
            "RequestId": "request-1",
        }

    def _is_signed(self, headers: dict[str, str], payload: bytes) -> bool:
        found = _AUTHORIZATION.fullmatch(headers["authorization"])
        if found is None:
            return False
        secret_id, day, names, signature = found.groups()
        lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(payload).hexdigest()}"
        request_hash = hashlib.sha256(request.encode()).hexdigest()
        text = f"TC3-HMAC-SHA256\n{headers['x-tc-timestamp']}\n{day}/tms/tc3_request\n{request_hash}"
        key = f"TC3{self.secret_key}".encode()
        for part in (day, "tms", "tc3_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return secret_id == self.secret_id and hmac.compare_digest(expected, signature)


class _Handler(BaseHTTPRequestHandler):
    server: FakeTencent

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        body = self.server.answer({name.lower(): value for name, value in self.headers.items()}, payload)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"Response": body}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
