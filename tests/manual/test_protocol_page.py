"""docs/reference/protocol.md matches the server: its frames are replayed, and its routes exist."""

import asyncio
import json
import re
from typing import Any

import websockets

from diagsite.api.assembly import api
from testing.fake_platform import FakePlatform, hold_response
from testing.site import PROJECT_ROOT, running_site

PAGE = (PROJECT_ROOT / "docs/reference/protocol.md").read_text()
EXAMPLE = re.compile(r"```json (client|server)\n(.*?)\n```", re.DOTALL)


def shape(value: Any) -> Any:
    """Return the keys and types of a frame, without values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def first_event_of(frame: dict[str, Any]) -> dict[str, Any]:
    """Reduce an events frame to its first entry, as in the document."""
    return frame | {"e": frame["e"][:1]} if frame["type"] == "events" else frame


async def play(address: str, token: str) -> list[str]:
    """Send the documented client frames and wait for the documented server frames; return their types."""
    heard = []
    async with websockets.connect(address, proxy=None) as socket:
        for side, text in EXAMPLE.findall(PAGE):
            example = json.loads(text.replace("TOKEN", token))
            if side == "client":
                await socket.send(json.dumps(example))
                continue
            while (frame := json.loads(await asyncio.wait_for(socket.recv(), 30)))["type"] != example["type"]:
                heard.append(frame["type"])
            assert shape(first_event_of(frame)) == shape(example)
            heard.append(frame["type"])
    return heard


def test_documented_frames_match_the_server() -> None:
    with FakePlatform() as fake, running_site(PING_SECONDS="0.5") as site, site.client() as client:
        fake.set_behaviour(hold_response())
        site.add_platform("fake", fake.base_url)
        order = {"brand": "山岚", "questions": ["推荐哪个手冲壶？"], "platforms": ["fake"]}
        accepted = client.post("/api/diagnoses", json=order).json()
        token = client.headers["Authorization"].removeprefix("Bearer ")
        address = f"{site.url.replace('http', 'ws', 1)}{accepted['socket_url']}"
        heard = asyncio.run(play(address, token))
    assert heard[0] == "welcome"
    assert {"events", "ping"} <= set(heard)


def test_documented_routes_exist() -> None:
    described = {re.sub(r"\{\w+\}", "<id>", path) for path in api.get_openapi_schema()["paths"]}
    named = set(re.findall(r"`(?:GET|POST|DELETE) (/api/[^`?]*)", PAGE))
    assert {re.sub(r"<\w+>", "<id>", path) for path in named} <= described
    assert named
