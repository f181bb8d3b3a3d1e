"""A fake WeChat: sign-in, access tokens, subscribe messages, each of which the user must have allowed, and the check of
texts.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class FakeWeChat(ThreadingHTTPServer):
    """The server. `allowed_messages` counts by user; `delivered` are the messages accepted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.allowed_messages: dict[str, int] = {}
        self.delivered: list[dict[str, Any]] = []
        self.issued_token_count = 0
        self.valid_token = ""
        self.queued_replies: list[int] = []  # error codes for the next messages
        self.calls = 0
        # The check of texts: words with a verdict ("risky" or "review"), error codes for the next checks, users whose
        # visit is too long ago, and the texts that were checked.
        self.judged_words: dict[str, str] = {}
        self.queued_check_codes: list[int] = []
        self.users_without_visit: set[str] = set()
        self.checked: list[str] = []
        self.may_respond = threading.Event()  # responses wait for it
        self.may_respond.set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.may_respond.set()
        self.shutdown()
        self.server_close()

    def send_message(self, token: str, message: dict[str, Any]) -> int:
        """Return WeChat's error code for a message, 0 if it is delivered."""
        with self._lock:
            self.calls += 1
            if self.queued_replies:
                return self.queued_replies.pop(0)
            if token != self.valid_token:
                return 40001
            user = message["touser"]
            if self.allowed_messages.get(user, 0) < 1:
                return 43101
            self.allowed_messages[user] -= 1
            self.delivered.append(message)
            return 0

    def check_text(self, token: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return WeChat's answer to a check of version 2."""
        with self._lock:
            self.checked.append(request["content"])
            code = self.queued_check_codes.pop(0) if self.queued_check_codes else self._find_check_error(token, request)
        if code:
            return {"errcode": code, "errmsg": f"error {code}", "trace_id": "trace"}
        verdicts = {verdict for word, verdict in self.judged_words.items() if word in request["content"]}
        suggest = next((verdict for verdict in ("risky", "review") if verdict in verdicts), "pass")
        result = {"suggest": suggest, "label": 100 if suggest == "pass" else 20001}
        return {"errcode": 0, "errmsg": "ok", "result": result, "detail": [], "trace_id": "trace"}

    def _find_check_error(self, token: str, request: dict[str, Any]) -> int:
        if token != self.valid_token:
            return 40001
        if request["version"] != 2 or request["scene"] not in (1, 2, 3, 4):
            return 40097
        if len(request["content"]) > 2500:
            return 44991
        return 61010 if request["openid"] in self.users_without_visit else 0

    def issue_token(self) -> str:
        """Issue an access token; the previous one becomes invalid."""
        with self._lock:
            self.issued_token_count += 1
            self.valid_token = f"token-{self.issued_token_count}"
            return self.valid_token


class _Handler(BaseHTTPRequestHandler):
    server: FakeWeChat

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        # Letters and digits like a real one, for any code.
        openid = re.sub("[^a-zA-Z0-9_-]", "-", f"openid-of-{query['js_code'][0]}")[:64]
        self.server.users_without_visit.discard(openid)
        self._answer({"openid": openid, "session_key": "never to be seen"})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if url.path == "/cgi-bin/stable_token":
            self._answer({"access_token": self.server.issue_token(), "expires_in": 7200})
            return
        token = parse_qs(url.query)["access_token"][0]
        if url.path == "/wxa/msg_sec_check":
            self._answer(self.server.check_text(token, body))
            return
        self._answer({"errcode": self.server.send_message(token, body)})

    def _answer(self, body: dict[str, Any]) -> None:
        self.server.may_respond.wait(30)
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(json.dumps(body).encode())
        except OSError:
            self.close_connection = True  # the caller has disconnected

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
