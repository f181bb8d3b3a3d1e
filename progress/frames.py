"""Every frame, typed both ways, and the close codes. docs/reference/protocol.md is the contract."""

from enum import IntEnum
from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

PROTOCOL_VERSION = 1
MAX_CLIENT_FRAME_BYTES = 4 * 1024
MAX_CLIENT_FRAMES_PER_SECOND = 20
MAX_UNACKNOWLEDGED_BYTES = (
    256 * 1024
)  # sent and not yet heard of; who reads more slowly waits, and is cut after its ping


class CloseCode(IntEnum):
    """Why the server ended a socket; always sent after accept, so that the client sees it."""

    DONE = 1000
    BAD_FRAME = 4400
    UNAUTHORIZED = 4401
    ORIGIN_NOT_ALLOWED = 4403
    NOT_FOUND = 4404
    CLIENT_TIMEOUT = 4408
    UNSUPPORTED_VERSION = 4409
    TOO_BIG = 4413
    TOO_FAST = 4429
    INTERNAL_ERROR = 4500
    GOING_AWAY = 4503


class _ClientFrame(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class HelloFrame(_ClientFrame):
    """The first frame, and again with a new token before the old one expires."""

    type: Literal["hello"]
    v: int
    token: str | None = None
    after: int = Field(default=0, ge=0, le=2**31)
    epoch: str | None = None


class AfterFrame(_ClientFrame):
    """Asks for the log again, behind a cursor."""

    type: Literal["after"]
    after: int = Field(ge=0, le=2**31)


class PongFrame(_ClientFrame):
    """Answers a ping."""

    type: Literal["pong"]


_client_frame_adapter: TypeAdapter[HelloFrame | AfterFrame | PongFrame] = TypeAdapter(
    HelloFrame | AfterFrame | PongFrame
)


class WelcomeFrame(TypedDict):
    """The hello was good; `ping` is the number of seconds between pings."""

    type: Literal["welcome"]
    v: int
    epoch: str
    last: int
    ping: float


class PingFrame(TypedDict):
    """Are you there? `last` reveals a lost last frame."""

    type: Literal["ping"]
    last: int


class ResetFrame(TypedDict):
    """The log has been pruned: read the report over HTTP."""

    type: Literal["reset"]
    epoch: str
    last: int
    closed: NotRequired[bool]


class ErrorFrame(TypedDict):
    """A failure, in the same body as over HTTP."""

    type: Literal["error"]
    problem: dict[str, Any]


ServerFrame = WelcomeFrame | PingFrame | ResetFrame | ErrorFrame


def parse_client_frame(text: str) -> HelloFrame | AfterFrame | PongFrame:
    """A client's frame. Raises ValueError (pydantic's ValidationError is one) for whatever is not one."""
    return _client_frame_adapter.validate_json(text)
