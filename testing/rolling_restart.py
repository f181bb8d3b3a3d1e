"""Traffic through the proxy while servers restart: failed requests, and how long stream clients were disconnected."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from testing.proxied_site import ProxiedSite

REQUEST_INTERVAL_SECONDS = 0.05
RECONNECT_DELAYS_SECONDS = (0.05, 0.2, 0.5)  # before the first, the second, any further attempt


@dataclass
class TrafficReport:
    """The number of requests, the failed ones, and for each reconnected client how long it was disconnected."""

    request_count: int = 0
    failures: list[str] = field(default_factory=list)
    disconnected_seconds: list[float] = field(default_factory=list)


async def send_requests(
    site: ProxiedSite, report: TrafficReport, stop: asyncio.Event, body: dict[str, Any] | None = None
) -> None:
    """Send requests over one connection until the event: start diagnoses if there is a body, otherwise read."""
    async with signed_in_client(site) as client:
        while not stop.is_set():
            try:
                if body:
                    headers = {"Idempotency-Key": uuid.uuid4().hex}
                    response = await client.post("/api/diagnoses", json=body, headers=headers)
                else:
                    response = await client.get("/api/platforms")
                if response.status_code >= 400:
                    report.failures.append(f"{response.status_code} {response.text[:80]}")
                report.request_count += 1
            except httpx.TransportError as error:
                report.failures.append(repr(error))
            await _wait_for_event(stop, REQUEST_INTERVAL_SECONDS)


@contextlib.asynccontextmanager
async def signed_in_client(site: ProxiedSite) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the API through the proxy, with a token of its own device."""
    async with httpx.AsyncClient(base_url=site.url, verify=site.ssl_context, trust_env=False, timeout=20) as client:
        response = await client.post("/api/session", json={"device_id": f"device-{uuid.uuid4().hex}"})
        client.headers["Authorization"] = f"Bearer {response.raise_for_status().json()['token']}"
        yield client


async def follow_stream(
    site: ProxiedSite,
    report: TrafficReport,
    stop: asyncio.Event,
    body: dict[str, Any],
    on_connected: Callable[[], None],
) -> None:
    """Follow a new diagnosis until the event, reconnecting as the protocol requires after each disconnect."""
    async with signed_in_client(site) as client:
        response = await client.post("/api/diagnoses", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        url = site.url.replace("https", "wss") + response.raise_for_status().json()["socket_url"]
        token = client.headers["Authorization"].removeprefix("Bearer ")
    lost_at, attempts = 0.0, 0
    while not stop.is_set():
        try:
            async with connect(url, ssl=site.ssl_context, proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
                assert json.loads(await socket.recv())["type"] == "welcome"
                if lost_at:
                    report.disconnected_seconds.append(time.monotonic() - lost_at)
                on_connected()
                lost_at, attempts = 0.0, 0
                await _answer_pings(socket, stop)
        except (ConnectionClosed, OSError, InvalidStatus):
            lost_at = lost_at or time.monotonic()
        await _wait_for_event(stop, RECONNECT_DELAYS_SECONDS[min(attempts, 2)])
        attempts += 1


async def _answer_pings(socket: Any, stop: asyncio.Event) -> None:
    """Answer pings until the event or until the connection is lost."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        receiving = asyncio.create_task(socket.recv())
        await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
            return
        frame = json.loads(receiving.result())
        if frame["type"] == "ping":
            await socket.send(json.dumps({"type": "pong", "nonce": frame.get("nonce")}))


async def _wait_for_event(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def restart_under_traffic(
    site: ProxiedSite, body: dict[str, Any], *, readers: int, followers: int
) -> TrafficReport:
    """Restart both servers, one after the other, while clients read, start diagnoses and follow streams."""
    report, stop = TrafficReport(), asyncio.Event()
    connected = [asyncio.Event() for _ in range(followers)]
    async with asyncio.TaskGroup() as group:
        for event in connected:
            group.create_task(follow_stream(site, report, stop, body, event.set))
        for event in connected:
            await event.wait()
        for number in range(readers):
            group.create_task(send_requests(site, report, stop, body if number == 0 else None))
        for number in range(len(site.servers)):
            await asyncio.to_thread(site.restart_server, number)
        await _wait_for_event(stop, 1.0)
        stop.set()
    return report
