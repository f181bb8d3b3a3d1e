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

from diagsite.tests.proxied import ProxiedSite, moment, until

PAUSE_SECONDS = 0.05
COMES_BACK_SECONDS = (0.05, 0.2, 0.5)  # how long a client waits before its first, second, further tries


Live = Callable[[], None]


@dataclass
class Seen:
    """What happened: answers by status, what failed, how long followers were cut off."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    away_seconds: list[float] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)


async def load(site: ProxiedSite, seen: Seen, stop: asyncio.Event, order: dict[str, Any] | None = None) -> None:
    """One client that reads, and orders when it has an order, again and again over a connection that it keeps."""
    async with httpx.AsyncClient(base_url=site.url, verify=site.tls, trust_env=False, timeout=20) as client:
        token = await sign_in(client)
        client.headers["Authorization"] = f"Bearer {token}"
        while not stop.is_set():
            try:
                if order:
                    headers = {"Idempotency-Key": uuid.uuid4().hex}
                    answer = await client.post("/api/diagnoses", json=order, headers=headers)
                else:
                    answer = await client.get("/api/platforms")
                if answer.status_code >= 400:
                    seen.failed.append(f"{answer.status_code} {answer.text[:80]}")
                seen.answered += 1
            except httpx.TransportError as error:
                seen.failed.append(repr(error))
            await until(stop, PAUSE_SECONDS)


async def sign_in(client: httpx.AsyncClient) -> str:
    """A device's token."""
    answer = await client.post("/api/session", json={"device_id": f"device-{uuid.uuid4().hex}"})
    answer.raise_for_status()
    return str(answer.json()["token"])


async def follow(
    site: ProxiedSite, seen: Seen, stop: asyncio.Event, order: dict[str, Any], live: Callable[[], None]
) -> None:
    """One follower of a long diagnosis, which comes back as the protocol wants; `live` is called when it is first."""
    async with httpx.AsyncClient(base_url=site.url, verify=site.tls, trust_env=False, timeout=20) as client:
        token = await sign_in(client)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid.uuid4().hex}
        answer = await client.post("/api/diagnoses", json=order, headers=headers)
        answer.raise_for_status()
    address = site.url.replace("https", "wss") + answer.json()["socket_url"]
    lost_at, tries = 0.0, 0
    while not stop.is_set():
        try:
            async with connect(address, ssl=site.tls, proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
                assert json.loads(await socket.recv())["type"] == "welcome"
                if lost_at:
                    seen.away_seconds.append(moment() - lost_at)
                live()
                lost_at, tries = 0.0, 0
                await _stay(socket, stop)
        except ConnectionClosed as closed:
            seen.closes.append(closed.rcvd.code if closed.rcvd else 0)
            lost_at = lost_at or moment()
        except (OSError, InvalidStatus):
            lost_at = lost_at or moment()
        await until(stop, COMES_BACK_SECONDS[min(tries, 2)])
        tries += 1


async def _stay(socket: Any, stop: asyncio.Event) -> None:
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


async def restart_under_traffic(site: ProxiedSite, order: dict[str, Any], *, readers: int, followers: int) -> Seen:
    """Restart both servers, one after the other, while clients read, order and follow."""
    seen, stop, are_live = Seen(), asyncio.Event(), asyncio.Semaphore(0)
    first: set[int] = set()

    def live_once(number: int) -> Live:
        def note() -> None:
            if number not in first:
                first.add(number)
                are_live.release()

        return note

    async with asyncio.TaskGroup() as group:
        for number in range(followers):
            group.create_task(follow(site, seen, stop, order, live_once(number)))
        for _ in range(followers):
            await are_live.acquire()
        for number in range(readers):
            group.create_task(load(site, seen, stop, order if number == 0 else None))
        for number in range(len(site.servers)):
            await asyncio.to_thread(site.restart, number)
        await until(stop, 1.0)
        stop.set()
    return seen
