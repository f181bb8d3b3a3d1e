"""A client of one stream, by socket or polling, that resumes after the last event it has."""

import contextlib
import json
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from testing.invariants import Event, StartedDiagnosis, get_events, utc_now
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site

MAX_FOLLOW_SECONDS = 120.0


@dataclass
class StreamClient:
    """A client that keeps all events in the order they arrived, with duplicates."""

    site: Site
    diagnosis: StartedDiagnosis
    events: list[Event] = field(default_factory=list)
    arrived_at: dict[int, datetime] = field(default_factory=dict)
    epoch: str | None = None
    disconnect_count: int = 0

    def __post_init__(self) -> None:
        self.token = self.site.token()

    @property
    def after(self) -> int:
        """The last seq it has received."""
        return self.events[-1][0] if self.events else 0

    @property
    def is_complete(self) -> bool:
        """Whether it has received the event `complete`."""
        return bool(self.events) and self.events[-1][1] == "complete"

    def follow_socket(self, seconds: float = MAX_FOLLOW_SECONDS) -> int:
        """Follow over one socket; return the server's close code, or 0 if this side disconnects after the seconds."""
        address = f"{self.site.url.replace('http', 'ws')}/ws/diagnosis/{self.diagnosis.stream}/"
        hello = {"type": "hello", "v": 1, "token": self.token, "after": self.after, "epoch": self.epoch}
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError), connect(address, proxy=None, close_timeout=0.1) as ws:
            try:
                ws.send(json.dumps(hello))
                while (left := until - time.monotonic()) > 0:
                    self._handle_frame(ws, json.loads(ws.recv(left)))
            except TimeoutError:
                pass
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 0
            # Disconnect like a phone without reception: no close frame, and what is under way is lost.
            ws.socket.shutdown(socket.SHUT_RDWR)
        return 0

    def poll(self, seconds: float = 20.0) -> None:
        """Make one long poll, and abort it after so many seconds."""
        query: dict[str, Any] = {"after": self.after, "wait": 20} | ({"epoch": self.epoch} if self.epoch else {})
        with contextlib.suppress(httpx.TransportError):
            response = httpx.get(
                f"{self.site.url}/api/streams/{self.diagnosis.stream}/events",
                params=query,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=seconds,
                **LOCAL_HTTPX_OPTIONS,
            )
            body = response.raise_for_status().json()
            assert "reset" not in body
            self.epoch = body["epoch"]
            self._record_events(body["events"])

    def follow_until_complete(self, seconds: float = MAX_FOLLOW_SECONDS) -> None:
        """Follow by socket, reconnecting after every disconnect, until the event `complete`."""
        until = time.monotonic() + seconds
        while not self.is_complete:
            assert time.monotonic() < until, f"not complete in {seconds:g} s; last seq: {self.after}"
            self.follow_socket(until - time.monotonic())
            time.sleep(0.05)

    def follow_with_disconnects(
        self, disconnects: int, rng: random.Random, methods: list[Callable[[float], Any]]
    ) -> None:
        """Follow for short random times, using the methods in turn, and disconnect so many times."""
        while self.disconnect_count < disconnects and not self.is_complete:
            methods[self.disconnect_count % len(methods)](rng.uniform(0.02, 0.5))
            self.disconnect_count += 1

    def _handle_frame(self, ws: ClientConnection, frame: dict[str, Any]) -> None:
        assert frame["type"] not in ("error", "reset") or frame.get("problem", {}).get("code") == "SERVICE_UNAVAILABLE"
        if frame["type"] == "welcome":
            self.epoch = frame["epoch"]
        elif frame["type"] == "events":
            self._record_events(frame["e"])
        elif frame["type"] == "ping":
            ws.send(json.dumps({"type": "pong", "nonce": frame.get("nonce")}))

    def _record_events(self, entries: list[list[Any]]) -> None:
        now = utc_now()
        for seq, kind, data in entries:
            self.events.append((seq, kind, data))
            self.arrived_at.setdefault(seq, now)


def assert_received_every_event_once(client: StreamClient) -> None:
    """Assert that it has every event of the log exactly once, in order and unchanged."""
    log = get_events(client.site, client.diagnosis.stream)
    assert [seq for seq, *_ in client.events] == [seq for seq, *_ in log]
    assert client.events == log
    assert client.is_complete
