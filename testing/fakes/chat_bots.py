"""Fake chat bots of DingTalk, WeCom and Feishu: as strict as the real ones, they respond 200 with an error code."""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

MAX_MESSAGES_PER_MINUTE = 20
MAX_SIGNATURE_AGE_SECONDS = 3600.0
SIGNING_SECRET = "SEC-of-a-test"
BOT_TOKEN = "token-of-a-test"

BotReply = tuple[int, dict[str, Any]]


class FakeChatBots(ThreadingHTTPServer):
    """The server. `received` are the accepted messages, `queued_replies` (status, body) those for the next requests.

    per_minute: the rate limit of a bot; may_respond: responses wait for it after the message was accepted;
    get_response_delay: seconds that each response takes longer.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, *, per_minute: int = MAX_MESSAGES_PER_MINUTE) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.per_minute = per_minute
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.queued_replies: list[BotReply] = []
        self.accepted_at: dict[str, list[float]] = {}
        self.headers: list[dict[str, str]] = []
        self.get_response_delay: Callable[[], float] = float
        self.may_respond = threading.Event()
        self.may_respond.set()
        self.lock = threading.Lock()

    @property
    def dingtalk(self) -> str:
        """The address of the DingTalk bot; its key is SIGNING_SECRET."""
        return f"{self.url}/robot/send?access_token={BOT_TOKEN}"

    @property
    def wecom(self) -> str:
        """The address of the WeCom bot."""
        return f"{self.url}/cgi-bin/webhook/send?key={BOT_TOKEN}"

    @property
    def feishu(self) -> str:
        """The address of the Feishu bot; its key is SIGNING_SECRET."""
        return f"{self.url}/open-apis/bot/v2/hook/{BOT_TOKEN}"

    @property
    def webhook(self) -> str:
        """An address that accepts any JSON, and records the headers."""
        return f"{self.url}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.may_respond.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that were killed, and print all other errors."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def reply_to(self, path: str, data: bytes, headers: dict[str, str]) -> BotReply:
        """Return the bot's reply to a request, and record it."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        bots = {
            "/robot/send": _reply_as_dingtalk,
            "/cgi-bin/webhook/send": _reply_as_wecom,
            "/hook": _reply_as_webhook,
        }
        bot = bots.get(parts.path, _reply_as_feishu if parts.path.startswith("/open-apis/") else None)
        with self.lock:
            self.paths.append(path)
            self.headers.append(headers)
            if self.queued_replies:
                return self.queued_replies.pop(0)
            if bot is None:
                return 404, {}
            recent = [moment for moment in self.accepted_at.get(parts.path, []) if moment > time.time() - 60]
            reply = bot(data, query, parts.path, len(recent) >= self.per_minute)
            if reply[1].get("errcode", reply[1].get("code", 0)) == 0:
                self.received.append(json.loads(data))
                recent.append(time.time())
            self.accepted_at[parts.path] = recent
            return reply

    def get_message_texts(self) -> list[str]:
        """Return the text of each accepted message."""
        with self.lock:
            return [_extract_text(body) for body in self.received]


def _reply_as_dingtalk(data: bytes, query: dict[str, str], path: str, is_too_fast: bool) -> BotReply:
    def reply(code: int, words: str) -> BotReply:
        return 200, {"errcode": code, "errmsg": words}

    if query.get("access_token") != BOT_TOKEN:
        return reply(300001, "token is not exist")
    try:
        is_now = abs(time.time() - int(query["timestamp"]) / 1000) < MAX_SIGNATURE_AGE_SECONDS
        signed = f"{query['timestamp']}\n{SIGNING_SECRET}".encode()
        expected = base64.b64encode(hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        is_signed = hmac.compare_digest(expected, query["sign"])
    except (KeyError, ValueError):
        is_now = is_signed = False
    if not is_now:
        return reply(310000, "invalid timestamp")
    if not is_signed:
        return reply(310000, "sign not match")
    if is_too_fast:
        return reply(130101, "send too fast, exceed 20 times per minute")
    if len(data) > 20_000:
        return reply(460101, "message too long, exceed 20000 bytes")
    body = json.loads(data)
    if body.get("msgtype") != "markdown" or not body["markdown"]["title"] or not body["markdown"]["text"]:
        return reply(40035, "缺少参数 json")
    return reply(0, "ok")


def _reply_as_wecom(data: bytes, query: dict[str, str], path: str, is_too_fast: bool) -> BotReply:
    hint = (
        "hint: [1592021214_50], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=93000"
    )
    if query.get("key") != BOT_TOKEN:
        return 200, {"errcode": 93000, "errmsg": f"invalid webhook url, {hint}"}
    if is_too_fast:
        return 200, {"errcode": 45009, "errmsg": "api freq out of limit"}
    body = json.loads(data)
    if body.get("msgtype") != "markdown":
        return 200, {"errcode": 40008, "errmsg": "invalid message type"}
    if len(body["markdown"]["content"].encode()) > 4096:
        return 200, {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def _reply_as_feishu(data: bytes, query: dict[str, str], path: str, is_too_fast: bool) -> BotReply:
    if path.rsplit("/", 1)[1] != BOT_TOKEN:
        return 200, {"code": 19001, "data": {}, "msg": "param invalid: incoming webhook access token invalid"}
    body = json.loads(data)
    timestamp = str(body.get("timestamp", "0"))
    digest = hmac.new(f"{timestamp}\n{SIGNING_SECRET}".encode(), b"", hashlib.sha256).digest()
    is_signed = hmac.compare_digest(base64.b64encode(digest).decode(), str(body.get("sign", "")))
    if not is_signed or abs(time.time() - int(timestamp)) > MAX_SIGNATURE_AGE_SECONDS:
        words = "sign match fail or timestamp is not within one hour from current time"
        return 200, {"code": 19021, "data": {}, "msg": words}
    if is_too_fast:
        return 400, {"code": 9499, "msg": "too many request", "data": {}}
    if len(data) > 20 * 1024 or body.get("msg_type") != "interactive":
        return 400, {"code": 9499, "msg": "Bad Request", "data": {}}
    return 200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}


def _reply_as_webhook(data: bytes, query: dict[str, str], path: str, is_too_fast: bool) -> BotReply:
    json.loads(data)
    return 200, {}


def _extract_text(body: dict[str, Any]) -> str:
    if "card" in body:
        card = body["card"]
        return str(card["header"]["title"]["content"]) + "\n" + str(card["elements"][0]["content"])
    markdown = body.get("markdown", {})
    return str(markdown.get("text") or markdown.get("content") or body.get("text", ""))


class _Handler(BaseHTTPRequestHandler):
    server: FakeChatBots
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.server.reply_to(self.path, data, dict(self.headers.items()))
        self.server.may_respond.wait()
        time.sleep(self.server.get_response_delay())
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status in (301, 302, 307, 308):
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the sender was killed meanwhile

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
