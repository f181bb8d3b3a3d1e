"""A client of one stream, as the protocol wants it: it resumes behind the last event it has, by socket or polling."""

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

from testing.invariants import StartedDiagnosis, utc_now
from testing.services import LOCAL_HTTPX_OPTIONS
from testing.site import Site

MAX_FOLLOW_SECONDS = 120.0


@dataclass
class StreamClient:
    """What it has received, in the order and as often as it came: nothing is sorted out here."""

    site: Site
    diagnosis: StartedDiagnosis
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    arrived_at: dict[int, datetime] = field(default_factory=dict)
    epoch: str | None = None
    disconnect_count: int = 0

    def __post_init__(self) -> None:
        self.token = self.site.token()

    @property
    def after(self) -> int:
        """The last seq it has: where it goes on from."""
        return self.events[-1][0] if self.events else 0

    @property
    def is_complete(self) -> bool:
        """Whether the last event has come."""
        return bool(self.events) and self.events[-1][1] == "complete"

    def follow_socket(self, seconds: float = MAX_FOLLOW_SECONDS) -> int:
        """Follow over one socket until the server closes it: returns its code. After so many seconds cut it: 0."""
        address = f"{self.site.url.replace('http', 'ws')}/ws/diagnosis/{self.diagnosis.stream}/"
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError), connect(address, proxy=None, close_timeout=0.1) as ws:
            try:
                ws.send(json.dumps(self._build_hello()))
                while (left := until - time.monotonic()) > 0:
                    self._handle_frame(ws, json.loads(ws.recv(left)))
            except TimeoutError:
                pass
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 0
            _drop_connection(ws)
        return 0

    def poll(self, seconds: float = 20.0) -> None:
        """One long poll, hung up after so many seconds."""
        query: dict[str, Any] = {"after": self.after, "wait": 20} | ({"epoch": self.epoch} if self.epoch else {})
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(
                f"{self.site.url}/api/streams/{self.diagnosis.stream}/events",
                params=query,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=seconds,
                **LOCAL_HTTPX_OPTIONS,
            )
            answer.raise_for_status()
            body = answer.json()
            assert "reset" not in body
            self.epoch = body["epoch"]
            self._record_events(body["events"])

    def follow_until_complete(self, seconds: float = MAX_FOLLOW_SECONDS) -> None:
        """Follow by socket, coming back after every loss, until the last event has come."""
        until = time.monotonic() + seconds
        while not self.is_complete:
            assert time.monotonic() < until, f"no complete in {seconds:g} s; last seen: {self.after}"
            self.follow_socket(until - time.monotonic())
            time.sleep(0.05)

    def follow_with_disconnects(self, cuts: int, rng: random.Random, ways: list[Callable[[float], Any]]) -> None:
        """Follow for short, random times, the ways in turn, and lose the connection as often as told."""
        while self.disconnect_count < cuts and not self.is_complete:
            ways[self.disconnect_count % len(ways)](rng.uniform(0.02, 0.5))
            self.disconnect_count += 1

    def _build_hello(self) -> dict[str, Any]:
        return {"type": "hello", "v": 1, "token": self.token, "after": self.after, "epoch": self.epoch}

    def _handle_frame(self, ws: ClientConnection, frame: dict[str, Any]) -> None:
        assert frame["type"] not in ("error", "reset") or frame.get("problem", {}).get("code") == "SERVICE_UNAVAILABLE"
        if frame["type"] == "welcome":
            self.epoch = frame["epoch"]
        elif frame["type"] == "events":
            self._record_events(frame["e"])
        elif frame["type"] == "ping":
            ws.send('{"type": "pong"}')

    def _record_events(self, entries: list[list[Any]]) -> None:
        moment = utc_now()
        for seq, kind, data in entries:
            self.events.append((seq, kind, data))
            self.arrived_at.setdefault(seq, moment)


def _drop_connection(ws: ClientConnection) -> None:
    """Lose the connection as a phone in a lift does: no close frame, what is under way is gone."""
    with contextlib.suppress(OSError):
        ws.socket.shutdown(socket.SHUT_RDWR)


def assert_received_every_event_once(client: StreamClient) -> None:
    """It has every event of the log exactly once, in order, and unchanged."""
    log = client.site.query(
        "SELECT seq, kind, data FROM progress_event WHERE stream_id = %s ORDER BY seq", client.diagnosis.stream
    )
    assert [seq for seq, *_ in client.events] == [seq for seq, *_ in log]
    assert client.events == log
    assert client.is_complete
