"""Frames in both directions and close codes, as specified in docs/reference/protocol.md."""

import json
from enum import IntEnum
from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from errors.codes import ErrorCode

PROTOCOL_VERSION = 1
MAX_CLIENT_FRAME_BYTES = 4 * 1024
MAX_CLIENT_FRAMES_PER_SECOND = 20
# `hello` and `after` cost a query: so many at once, then one per second.
MAX_CLIENT_REQUESTS = 10
MAX_UNACKNOWLEDGED_BYTES = 64 * 1024  # sent but not confirmed by a pong; beyond it, sending waits


class CloseCode(IntEnum):
    """Why the server closed a socket; sent after accept, so that the client receives it."""

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


ERROR_CODES_BY_CLOSE_CODE = {
    CloseCode.BAD_FRAME: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.UNAUTHORIZED: ErrorCode.UNAUTHORIZED,
    CloseCode.ORIGIN_NOT_ALLOWED: ErrorCode.FORBIDDEN,
    CloseCode.NOT_FOUND: ErrorCode.DATA_NOT_FOUND,
    CloseCode.CLIENT_TIMEOUT: ErrorCode.NETWORK_TIMEOUT,
    CloseCode.UNSUPPORTED_VERSION: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.TOO_BIG: ErrorCode.DATA_FORMAT_ERROR,
    CloseCode.TOO_FAST: ErrorCode.RATE_LIMITED,
    CloseCode.INTERNAL_ERROR: ErrorCode.SERVER_ERROR,
    CloseCode.GOING_AWAY: ErrorCode.SERVICE_UNAVAILABLE,
}


class _ClientFrame(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class HelloFrame(_ClientFrame):
    """The first frame; sent again with a new token before the old one expires."""

    type: Literal["hello"]
    v: int
    token: str | None = None
    after: int = Field(default=0, ge=0, le=2**31)
    epoch: str | None = None


class AfterFrame(_ClientFrame):
    """Requests the log again, from a cursor."""

    type: Literal["after"]
    after: int = Field(ge=0, le=2**31)


class PongFrame(_ClientFrame):
    """Answers a ping. nonce: the ping's; clients before it existed send none."""

    type: Literal["pong"]
    nonce: str | None = None


_client_frame_adapter: TypeAdapter[HelloFrame | AfterFrame | PongFrame] = TypeAdapter(
    HelloFrame | AfterFrame | PongFrame
)


class WelcomeFrame(TypedDict):
    """The hello is accepted; `ping` is the interval of pings in seconds."""

    type: Literal["welcome"]
    v: int
    epoch: str
    last: int
    ping: float


class PingFrame(TypedDict):
    """Requests a pong with the same nonce; `last` lets the client detect a lost last frame."""

    type: Literal["ping"]
    last: int
    nonce: str


class ResetFrame(TypedDict):
    """The client's cursor is not valid (new epoch or pruned log): read the current state over HTTP."""

    type: Literal["reset"]
    epoch: str
    last: int
    closed: NotRequired[bool]


class ErrorFrame(TypedDict):
    """An error, with the same body as over HTTP."""

    type: Literal["error"]
    problem: dict[str, Any]


ServerFrame = WelcomeFrame | PingFrame | ResetFrame | ErrorFrame


def parse_client_frame(text: str) -> HelloFrame | AfterFrame | PongFrame:
    """Parse a client's frame. Raises ValueError (pydantic's ValidationError is one) if it is invalid."""
    return _client_frame_adapter.validate_json(text)


def encode_frame(frame: ServerFrame) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
