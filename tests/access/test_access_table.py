"""access.txt lists the response of every route for every kind of client; no route is missing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from diagsite.api.assembly import api
from diagsite.roles import seed_roles
from progress.routing import websocket_urlpatterns
from progress.services import open_stream
from progress.tests.conftest import complete_stream
from testing.clients.sockets import SocketClient, get_over_http, run_in_thread
from testing.data.access import ACTORS, AccessFixtures, create_actor_users

TABLE = Path(__file__).with_name("access.txt")
SOCKET = "SOCKET"
WELCOME = 101


class Row(NamedTuple):
    """A line of the table."""

    method: str
    route: str
    statuses: tuple[int, ...]


def read_access_table() -> list[Row]:
    """Return the rows, without comments and heading."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and line[0] not in "#-"]
    assert lines[0][2:] == ACTORS
    assert all(len(line) == 2 + len(ACTORS) for line in lines), "a line has a method, a route and a status for each"
    return [Row(method, _route(route), tuple(map(int, statuses))) for method, route, *statuses in lines[1:]]


def _route(written: str) -> str:
    return "" if written == "/" else written


def list_routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Yield all URL patterns in the table's notation, with placeholders for groups of regular expressions."""
    for pattern in resolver.url_patterns:
        route = before + re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", str(pattern.pattern)).replace("^", "").rstrip("$")
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from list_routes(pattern, route)


def routes_there_are() -> list[tuple[str, str]]:
    """Return (method, route) of the API; for other routes the method is ""."""
    operations = {
        path.strip("/").replace("{", "<").replace("}", ">"): [method.upper() for method in methods]
        for path, methods in api.get_openapi_schema()["paths"].items()
    }
    http = {(method, route) for route in list_routes(get_resolver()) for method in operations.get(route, [""])}
    return sorted(http | {(SOCKET, str(pattern.pattern)) for pattern in websocket_urlpatterns})


def test_access_table_lists_every_route() -> None:
    rows = {(row.method, row.route) for row in read_access_table()}
    there = routes_there_are()
    named = {route for _method, route in rows}
    missing = [(m, r) for m, r in there if (m, r) not in rows and (m or r not in named)]
    gone = [row for row in sorted(rows) if row not in there and ("", row[1]) not in there]
    told = "\n".join(f"  {method or 'GET or POST'} {route or '/'}" for method, route in missing)
    assert not missing, (
        f"no line in {TABLE.name} for:\n{told}\nAdd each with a status for {' '.join(ACTORS)}; the test below tells "
        f"what they get as it is. Look at each of them: is it what they should get?"
    )
    assert not gone, f"lines of {TABLE.name} that no route has: {gone}"


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["admin", "the rest"])
def test_responses_match_the_access_table(part: str) -> None:
    world = AccessFixtures()
    wrong = []
    for row in read_access_table():
        if not is_stream_route(row) and row.route.startswith("admin/") == (part == "admin"):
            statuses = tuple(world.request_status(who, row.method, row.route) for who in ACTORS)
            if statuses != row.statuses:
                wrong.append(format_line(row._replace(statuses=statuses)))
    assert not wrong, f"{TABLE.name} says otherwise; as it is:\n{format_line(None)}\n" + "\n".join(wrong)
    assert not world.routes_with_inline_code, (
        "script or style inside the page, which the content security policy refuses"
    )


def is_stream_route(row: Row) -> bool:
    """Whether the route reads a stream's log, in other threads that see committed rows only."""
    return "stream>" in row.route


def format_line(row: Row | None) -> str:
    """Return the row in the table's notation."""
    method, route, cells = row or ("method", "route", ACTORS)
    return f"{method:6} {route or '/':78} " + " ".join(f"{cell!s:8}" for cell in cells).rstrip()


@run_in_thread
def _prepare() -> tuple[dict[str, Any], dict[str, str], str]:
    """Create users, their sessions, and an ended stream of the owner."""
    seed_roles()
    people = create_actor_users()
    stream = open_stream(people["owner"])
    complete_stream(stream)
    sessions = {}
    for who, person in people.items():
        client = Client()
        client.force_login(person)
        sessions[who] = client.cookies["sessionid"].value
    return people, sessions, str(stream.pk)


@pytest.mark.django_db(transaction=True)
async def test_stream_responses_match_the_access_table() -> None:
    rows = [row for row in read_access_table() if is_stream_route(row)]
    assert {row.method for row in rows} == {"GET", SOCKET}
    people, sessions, stream = await _prepare()
    for row in rows:
        path = "/" + re.sub("<[^>]*stream>", stream, row.route)
        statuses = []
        for who in ACTORS:
            if row.method == SOCKET:
                statuses.append(await _connect(path, sessions.get(who, "")))
            else:
                statuses.append((await get_over_http(path, people.get(who), wait=0)).status_code)
        assert tuple(statuses) == row.statuses, format_line(row._replace(statuses=tuple(statuses)))


async def _connect(path: str, session: str) -> int:
    """Connect a socket; return 101 for a welcome, otherwise the close code."""
    async with SocketClient(path, headers=[(b"cookie", f"sessionid={session}".encode())] if session else []) as socket:
        await socket.send_frame(type="hello", v=1, token=None, after=0, epoch=None)
        frame = await socket.receive_frame()
        return WELCOME if frame["type"] == "welcome" else int((await socket.receive_frame())["code"])
