"""Every frame, typed both ways, and the close codes. docs/reference/protocol.md is the contract."""

from enum import IntEnum
from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

VERSION = 1
MOST_CLIENT_FRAME_BYTES = 4 * 1024
MOST_CLIENT_FRAMES_PER_SECOND = 20
MOST_UNHEARD_BYTES = 256 * 1024  # sent and not yet heard of; who reads more slowly waits, and is cut after its ping


class CloseCode(IntEnum):
    """Why the server ended a socket; always sent after accept, so that the client sees it."""

    DONE = 1000
    BAD_FRAME = 4400
    UNAUTHORIZED = 4401
    ORIGIN = 4403
    NOT_FOUND = 4404
    SILENT = 4408
    VERSION = 4409
    TOO_BIG = 4413
    TOO_FAST = 4429
    OUR_FAULT = 4500
    GOING_AWAY = 4503


class _ClientFrame(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Hello(_ClientFrame):
    """The first frame, and again with a new token before the old one expires."""

    type: Literal["hello"]
    v: int
    token: str | None = None
    after: int = Field(default=0, ge=0, le=2**31)
    epoch: str | None = None


class After(_ClientFrame):
    """Asks for the log again, behind a cursor."""

    type: Literal["after"]
    after: int = Field(ge=0, le=2**31)


class Pong(_ClientFrame):
    """Answers a ping."""

    type: Literal["pong"]


_adapter: TypeAdapter[Hello | After | Pong] = TypeAdapter(Hello | After | Pong)


class Welcome(TypedDict):
    """The hello was good; `ping` is the number of seconds between pings."""

    type: Literal["welcome"]
    v: int
    epoch: str
    last: int
    ping: float


class Ping(TypedDict):
    """Are you there? `last` reveals a lost last frame."""

    type: Literal["ping"]
    last: int


class Reset(TypedDict):
    """The log has been pruned: read the report over HTTP."""

    type: Literal["reset"]
    epoch: str
    last: int
    closed: NotRequired[bool]


class ErrorFrame(TypedDict):
    """A failure, in the same body as over HTTP."""

    type: Literal["error"]
    problem: dict[str, Any]


ServerFrame = Welcome | Ping | Reset | ErrorFrame


def parse_client_frame(text: str) -> Hello | After | Pong:
    """A client's frame. Raises ValueError (pydantic's ValidationError is one) for whatever is not one."""
    return _adapter.validate_json(text)
