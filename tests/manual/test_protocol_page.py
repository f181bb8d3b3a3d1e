"""docs/reference/protocol.md matches the server: its frames, its events, and its calls."""

import asyncio
import json
import re
from typing import Any, get_args

import pytest
import websockets

from diagsite.api.assembly import api
from progress.events import DiagnosisEvent, ErrorData
from testing.fakes.platform import FakePlatform, hold_response
from testing.site import PROJECT_ROOT, running_site

PAGE = (PROJECT_ROOT / "docs/reference/protocol.md").read_text()
CLIENT_TYPES = (PROJECT_ROOT / "miniprogram/services/types.d.ts").read_text()
EXAMPLE = re.compile(r"```json (client|server)\n(.*?)\n```", re.DOTALL)

# {kind: TypedDict of its data}
EVENT_DATA = {get_args(kind)[0]: data for kind, data in map(get_args, get_args(DiagnosisEvent))}


def get_shape(value: Any) -> Any:
    """Return the names and types of a frame's values."""
    if isinstance(value, dict):
        return {name: get_shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [get_shape(inner) for inner in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def keep_first_event(frame: dict[str, Any]) -> dict[str, Any]:
    """Reduce an events frame to its first event, as in the page's example."""
    return frame | {"e": frame["e"][:1]} if frame["type"] == "events" else frame


async def replay_examples(address: str, token: str) -> list[str]:
    """Send the page's client frames and compare the server frames; returns the types of the frames received."""
    received = []
    async with websockets.connect(address, proxy=None) as socket:
        for side, text in EXAMPLE.findall(PAGE):
            example = json.loads(text.replace("TOKEN", token))
            if side == "client":
                await socket.send(json.dumps(example))
                continue
            while (frame := json.loads(await asyncio.wait_for(socket.recv(), 30)))["type"] != example["type"]:
                received.append(frame["type"])
            assert get_shape(keep_first_event(frame)) == get_shape(example)
            received.append(frame["type"])
    return received


def test_the_frames_of_the_page_are_those_of_the_server() -> None:
    with FakePlatform() as fake, running_site(PING_SECONDS="0.5") as site, site.client() as client:
        fake.set_behaviour(hold_response())
        site.add_platform("fake", fake.base_url)
        body = {"brand": "山岚", "questions": ["推荐哪个手冲壶？"], "platforms": ["fake"]}
        accepted = client.post("/api/diagnoses", json=body).json()
        token = client.headers["Authorization"].removeprefix("Bearer ")
        address = f"{site.url.replace('http', 'ws', 1)}{accepted['socket_url']}"
        received = asyncio.run(replay_examples(address, token))
    assert received[0] == "welcome"
    assert {"events", "ping"} <= set(received)


def parse_fields(text: str) -> tuple[set[str], set[str]]:
    """Parse `{name, name: description, name?}`; returns (required names, optional names)."""
    inner = re.sub(r"[{\[][^{}\[\]]*[}\]]", "", text.strip("{}"))  # without nested objects and lists
    names = [field.split(":")[0].strip() for field in inner.split(",")]
    return {name for name in names if not name.endswith("?")}, {name[:-1] for name in names if name.endswith("?")}


def get_documented_fields(kind: str) -> tuple[set[str], set[str]]:
    """Return the (required, optional) fields of the kind's row in the page's table of events."""
    row = re.search(rf"^\| `{kind}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert row
    if "problem body" in row[1]:
        assert "with `platform`" in row[1]
        body = PAGE.split("## The problem body")[1].split("`{", 1)[1].split("}`", 1)[0]
        required, optional = parse_fields(re.sub(r"copy: .*", "copy", body, flags=re.DOTALL))
        return required | {"platform"}, optional
    fields = re.search(r"`(\{.*?\})`", row[1])
    assert fields
    return parse_fields(fields[1])


@pytest.mark.parametrize("kind", sorted(EVENT_DATA))
def test_the_event_table_has_the_fields_of_each_kind(kind: str) -> None:
    data = EVENT_DATA[kind]
    assert get_documented_fields(kind) == (set(data.__required_keys__), set(data.__optional_keys__))


def test_the_event_table_lists_every_kind() -> None:
    table = PAGE.split("## Events")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(EVENT_DATA)


def test_examples_of_events_have_the_fields_of_their_kind() -> None:
    frames = [json.loads(text) for side, text in EXAMPLE.findall(PAGE) if side == "server"]
    events = [event for frame in frames if frame["type"] == "events" for event in frame["e"]]
    assert events
    for _seq, kind, data in events:
        assert EVENT_DATA[kind].__required_keys__ <= data.keys()
        assert data.keys() <= EVENT_DATA[kind].__annotations__.keys()


@pytest.mark.parametrize("kind", sorted(EVENT_DATA))
def test_the_client_typings_have_the_fields_of_each_kind(kind: str) -> None:
    data = EVENT_DATA[kind]
    interface = re.search(rf"interface {data.__name__} \{{\n(.*?)\n  \}}", CLIENT_TYPES, re.DOTALL)
    assert interface
    fields = dict(re.findall(r"^    (\w+)(\??):", interface[1], re.MULTILINE))
    assert {name for name, mark in fields.items() if not mark} == data.__required_keys__
    assert {name for name, mark in fields.items() if mark} == data.__optional_keys__


def test_error_data_is_a_problem_body_with_the_platform() -> None:
    problem = api.get_openapi_schema()["components"]["schemas"]["Problem"]
    assert set(problem["properties"]) | {"platform"} == set(ErrorData.__annotations__)


def test_the_calls_of_the_page_exist() -> None:
    described = {re.sub(r"\{\w+\}", "<id>", path) for path in api.get_openapi_schema()["paths"]}
    named = set(re.findall(r"`(?:GET|POST|DELETE) (/api/[^`?]*)", PAGE))
    assert {re.sub(r"<\w+>", "<id>", path) for path in named} <= described
    assert named
