"""The result of a call with its retries."""

from dataclasses import dataclass

from diagnosis.exceptions import CallFailed
from diagnosis.replies import PlatformReply


@dataclass(frozen=True)
class CallResult:
    """The reply, or the last failure.

    attempts: number of attempts; milliseconds: duration of the last one, 0 if the platform was not called.
    """

    reply: PlatformReply | None
    failure: CallFailed | None
    attempts: int
    milliseconds: int
