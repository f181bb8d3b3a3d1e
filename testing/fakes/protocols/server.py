"""A server that plays canned responses in the shapes of any protocol, and checks what it is asked.

    with PlatformServer([Canned(body), Canned(body)]) as server:
        platform = make_platform(base_url=server.base_url, protocol="messages", surface="search")
        ...
        assert len(server.requests) == 2 and server.problems == []

Requests are checked against the documented ones: path, required fields, and the header that carries the key.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from testing.fakes.protocols.trap import Canned


@dataclass(frozen=True)
class ReceivedRequest:
    """A request. headers: names in lower case; body: parsed JSON, None without one."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class PlatformServer:
    """Responses are played in order, or chosen by path or by model; the last one is repeated."""

    responses: list[Canned]
    by_model: dict[str, Canned] = field(default_factory=dict)
    requests: list[ReceivedRequest] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_path: dict[str, Canned] = {}
        self._lock = threading.Lock()
        self._played = 0

    @property
    def base_url(self) -> str:
        """The `base_url` for a Platform row."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def set_path(self, path: str, canned: Canned) -> None:
        """Respond to a path after the base URL with this."""
        self._by_path[f"/v1{path}"] = canned

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(self.respond))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="platform-server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, request: ReceivedRequest) -> Canned:
        """Record a request and return the response to it."""
        with self._lock:
            self.requests.append(request)
            if request.path in self._by_path:
                return self._by_path[request.path]
            self.problems += find_request_problems(request)
            model = request.body.get("model") if isinstance(request.body, dict) else None
            if model in self.by_model:
                return self.by_model[model]
            canned = self.responses[min(self._played, len(self.responses) - 1)]
            self._played += 1
            return canned


_REQUIRED_BY_PATH = {
    "/chat/completions": ({"model", "messages"}, "authorization"),
    "/responses": ({"model", "input"}, "authorization"),
    "/agent": ({"model", "input"}, "authorization"),
    "/messages": ({"model", "max_tokens", "messages"}, "x-api-key"),
    "/fibers": ({"name", "arguments"}, "authorization"),
    "/tools": (set[str](), "authorization"),
    "/generation": ({"model", "input", "parameters"}, "authorization"),
    ":generateContent": ({"contents"}, "x-goog-api-key"),
}


def find_request_problems(request: ReceivedRequest) -> list[str]:
    """Return in what a request differs from the documented ones."""
    for ending, (names, key_header) in _REQUIRED_BY_PATH.items():
        if request.path.endswith(ending):
            problems = [f"{ending} lacks {name}" for name in sorted(names - set(request.body or {}))]
            if not request.headers.get(key_header):
                problems.append(f"{ending} lacks the header {key_header}")
            if ending == "/messages" and "anthropic-version" not in request.headers:
                problems.append("/messages lacks the header anthropic-version")
            if (request.method == "GET") != (ending == "/tools"):
                problems.append(f"{request.method} {ending}")
            return problems
    return [f"no such path: {request.path}"]


def _build_handler(respond: Callable[[ReceivedRequest], Canned]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._play()

        def do_POST(self) -> None:
            self._play()

        def _play(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(raw) if raw else None
            canned = respond(ReceivedRequest(self.command, self.path, headers, body))
            content = canned.body.encode() if isinstance(canned.body, str) else json.dumps(canned.body).encode()
            self.send_response(canned.status)
            for name, value in canned.headers.items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    return Handler
