"""Traffic through the proxy while servers are restarted: what failed, and how long followers were without a socket."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from testing.proxied_site import ProxiedSite, monotonic_seconds, wait_for_event

REQUEST_INTERVAL_SECONDS = 0.05
RECONNECT_DELAYS_SECONDS = (0.05, 0.2, 0.5)  # how long a client waits before its first, second, further tries


OnConnected = Callable[[], None]


@dataclass
class TrafficReport:
    """What happened: answers by status, what failed, how long followers were cut off."""

    request_count: int = 0
    failures: list[str] = field(default_factory=list)
    disconnected_seconds: list[float] = field(default_factory=list)
    close_codes: list[int] = field(default_factory=list)


async def send_requests(
    site: ProxiedSite, report: TrafficReport, stop: asyncio.Event, body: dict[str, Any] | None = None
) -> None:
    """One client that reads, and orders when it has an order, again and again over a connection that it keeps."""
    async with httpx.AsyncClient(base_url=site.url, verify=site.ssl_context, trust_env=False, timeout=20) as client:
        token = await sign_in_device(client)
        client.headers["Authorization"] = f"Bearer {token}"
        while not stop.is_set():
            try:
                if body:
                    headers = {"Idempotency-Key": uuid.uuid4().hex}
                    answer = await client.post("/api/diagnoses", json=body, headers=headers)
                else:
                    answer = await client.get("/api/platforms")
                if answer.status_code >= 400:
                    report.failures.append(f"{answer.status_code} {answer.text[:80]}")
                report.request_count += 1
            except httpx.TransportError as error:
                report.failures.append(repr(error))
            await wait_for_event(stop, REQUEST_INTERVAL_SECONDS)


async def sign_in_device(client: httpx.AsyncClient) -> str:
    """A device's token."""
    answer = await client.post("/api/session", json={"device_id": f"device-{uuid.uuid4().hex}"})
    answer.raise_for_status()
    return str(answer.json()["token"])


async def follow_stream(
    site: ProxiedSite,
    report: TrafficReport,
    stop: asyncio.Event,
    body: dict[str, Any],
    on_connected: Callable[[], None],
) -> None:
    """One follower of a long diagnosis, which comes back as the protocol wants; `live` is called when it is first."""
    async with httpx.AsyncClient(base_url=site.url, verify=site.ssl_context, trust_env=False, timeout=20) as client:
        token = await sign_in_device(client)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid.uuid4().hex}
        answer = await client.post("/api/diagnoses", json=body, headers=headers)
        answer.raise_for_status()
    address = site.url.replace("https", "wss") + answer.json()["socket_url"]
    lost_at, attempts = 0.0, 0
    while not stop.is_set():
        try:
            async with connect(address, ssl=site.ssl_context, proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
                assert json.loads(await socket.recv())["type"] == "welcome"
                if lost_at:
                    report.disconnected_seconds.append(monotonic_seconds() - lost_at)
                on_connected()
                lost_at, attempts = 0.0, 0
                await _answer_pings(socket, stop)
        except ConnectionClosed as closed:
            report.close_codes.append(closed.rcvd.code if closed.rcvd else 0)
            lost_at = lost_at or monotonic_seconds()
        except (OSError, InvalidStatus):
            lost_at = lost_at or monotonic_seconds()
        await wait_for_event(stop, RECONNECT_DELAYS_SECONDS[min(attempts, 2)])
        attempts += 1


async def _answer_pings(socket: Any, stop: asyncio.Event) -> None:
    """Answer pings until it is cut or told to stop."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        receiving = asyncio.create_task(socket.recv())
        await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
            return
        if json.loads(receiving.result())["type"] == "ping":
            await socket.send('{"type": "pong"}')


async def restart_under_traffic(
    site: ProxiedSite, body: dict[str, Any], *, readers: int, followers: int
) -> TrafficReport:
    """Restart both servers, one after the other, while clients read, order and follow."""
    report, stop, connected = TrafficReport(), asyncio.Event(), asyncio.Semaphore(0)
    first: set[int] = set()

    def connected_once(number: int) -> OnConnected:
        def note() -> None:
            if number not in first:
                first.add(number)
                connected.release()

        return note

    async with asyncio.TaskGroup() as group:
        for number in range(followers):
            group.create_task(follow_stream(site, report, stop, body, connected_once(number)))
        for _ in range(followers):
            await connected.acquire()
        for number in range(readers):
            group.create_task(send_requests(site, report, stop, body if number == 0 else None))
        for number in range(len(site.servers)):
            await asyncio.to_thread(site.restart_server, number)
        await wait_for_event(stop, 1.0)
        stop.set()
    return report
