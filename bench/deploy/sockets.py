"""Many sockets at once through the shipped nginx, with TLS: all stay open, are pinged, and get an event."""

import asyncio
import contextlib
import json
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bench.harness import BenchmarkResult, get_quantile, info_only
from testing.fakes.platform import FakePlatform, hold_response
from testing.proxied_site import ProxiedSite, running_proxied_site
from testing.rolling_restart import signed_in_client
from testing.site import Site, create_database

MAX_CONCURRENT_OPENINGS = 100
PING_SECONDS = 10
PINGS_PER_SOCKET = 2
OPEN_TIMEOUT_SECONDS = 60
DIAGNOSIS_BODY = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["held"]}


@dataclass
class SocketCounts:
    """What happened on the sockets: when each opened, was pinged last, got the end; and what closed them early."""

    pings: list[int]
    end_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    open_count: int = 0


async def _hold_socket(
    site: ProxiedSite, url: str, token: str, number: int, counts: SocketCounts, opening: asyncio.Semaphore
) -> None:
    """Open a socket, and answer its pings until the last event."""
    try:
        async with contextlib.AsyncExitStack() as stack:
            async with opening:
                socket = await stack.enter_async_context(
                    connect(
                        url,
                        ssl=site.ssl_context,
                        proxy=None,
                        compression=None,
                        ping_interval=None,
                        open_timeout=OPEN_TIMEOUT_SECONDS,
                        close_timeout=1,
                    )
                )
                await socket.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
                if json.loads(await socket.recv())["type"] != "welcome":
                    raise ConnectionError("no welcome")
            counts.open_count += 1
            await _answer_pings(socket, number, counts)
    except (OSError, WebSocketException, TimeoutError) as error:
        counts.failures.append(repr(error)[:100])


async def _answer_pings(socket: ClientConnection, number: int, counts: SocketCounts) -> None:
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if frame["type"] == "ping":
            counts.pings[number] += 1
            await socket.send(json.dumps({"type": "pong", "nonce": frame.get("nonce")}))
        elif frame["type"] == "events" and frame["e"][-1][1] == "complete":
            counts.end_seconds.append(time.monotonic())
            counts.open_count -= 1
            return


async def _measure(site: ProxiedSite, sockets: int) -> tuple[SocketCounts, int, float, float]:
    """Return the counts, the sockets open at once, the seconds to open them, and the time of the last event."""
    counts, opening = SocketCounts([0] * sockets), asyncio.Semaphore(MAX_CONCURRENT_OPENINGS)
    async with signed_in_client(site) as client:
        response = await client.post("/api/diagnoses", json=DIAGNOSIS_BODY, headers={"Idempotency-Key": "sockets"})
        started = response.raise_for_status().json()
        url = site.url.replace("https", "wss") + started["socket_url"]
        token = client.headers["Authorization"].removeprefix("Bearer ")
        opened_at = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(sockets):
                group.create_task(_hold_socket(site, url, token, number, counts, opening))
            while counts.open_count + len(counts.failures) < sockets:  # noqa: ASYNC110 - a count, not an event
                await asyncio.sleep(0.1)
            seconds = time.monotonic() - opened_at
            counts.pings[:] = [0] * sockets
            await asyncio.sleep(PINGS_PER_SOCKET * PING_SECONDS + 5)
            open_at_once = counts.open_count
            ended_at = time.monotonic()
            await client.post(f"/api/diagnoses/{started['id']}/cancel")
    return counts, open_at_once, seconds, ended_at


def measure_sockets(redis_url: str, *, sockets: int = 10_000) -> list[BenchmarkResult]:
    """Open the sockets, watch their pings, then end the diagnosis that all of them follow."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    database = create_database()
    with FakePlatform() as fake, tempfile.TemporaryDirectory() as directory:
        fake.set_behaviour(hold_response())
        with running_proxied_site(Path(directory), database, redis_url) as site:
            Site(database).add_platform("held", fake.base_url)
            counts, open_at_once, seconds, ended_at = asyncio.run(_measure(site, sockets))
        fake.release()
    pinged = sum(pings >= PINGS_PER_SOCKET for pings in counts.pings)
    ended = len(counts.end_seconds)
    delays = [moment - ended_at for moment in counts.end_seconds] or [float("inf")]
    return [
        BenchmarkResult(
            "sockets open at once through the shipped nginx",
            f"{sockets:,}",
            f"{open_at_once:,} {counts.failures[:1] or ''}",
            open_at_once == sockets,
        ),
        BenchmarkResult(
            f"of them pinged {PINGS_PER_SOCKET} times in {PINGS_PER_SOCKET * PING_SECONDS + 5} s, and open",
            f"{sockets:,}",
            f"{pinged:,}",
            pinged == sockets,
        ),
        BenchmarkResult("of them that got the last event", f"{sockets:,}", f"{ended:,}", ended == sockets),
        info_only("time to open them", f"{seconds:.0f} s, {sockets / seconds:.0f} per second"),
        info_only("delay of the last event", f"{get_quantile(delays, 0.5):.1f} s median, {max(delays):.1f} s at most"),
    ]
