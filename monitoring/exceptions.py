"""How a message can fail to reach a channel: one class an outcome, each with what to do about it."""

from typing import ClassVar

from errors.codes import ErrorCode
from errors.exceptions import AppError

MAX_DETAIL_CHARACTERS = 200


class DeliveryFailed(AppError):
    """A message did not arrive. `words` and `provider_code` are the other side's own, without anything secret.

    `is_permanent`: the same message to the same channel will never arrive; `disables_channel`: nor will any other.
    """

    code = ErrorCode.SERVICE_UNAVAILABLE
    is_permanent: ClassVar[bool] = False
    disables_channel: ClassVar[bool] = False

    def __init__(self, detail: str, *, provider_code: str = "", wait_seconds: float | None = None) -> None:
        super().__init__(retry_after_ms=None if wait_seconds is None else int(wait_seconds * 1000))
        self.detail = detail[:MAX_DETAIL_CHARACTERS]
        self.provider_code = provider_code[:40]
        self.wait_seconds = wait_seconds or 0.0

    def __str__(self) -> str:
        return f"{self.detail}（代码 {self.provider_code}）" if self.provider_code else self.detail


class ChannelUnavailable(DeliveryFailed):
    """The other side has trouble of its own: try again."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class ChannelUnreachable(DeliveryFailed):
    """No connection: try again."""

    code = ErrorCode.NETWORK_ERROR


class ChannelTimedOut(DeliveryFailed):
    """No answer in time: it may have arrived, and is told again with its number."""

    code = ErrorCode.NETWORK_TIMEOUT


class ChannelRateLimited(DeliveryFailed):
    """Too many messages: try again after the wait."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, detail: str, *, provider_code: str = "", wait_seconds: float | None = 60.0) -> None:
        super().__init__(detail, provider_code=provider_code, wait_seconds=wait_seconds)
        self.params = {"seconds": int(self.wait_seconds) or 1}


class MessageRejected(DeliveryFailed):
    """This message, whatever the reason, will not be taken; the next one may be."""

    code = ErrorCode.INVALID_INPUT
    is_permanent = True


class ChannelMisconfigured(DeliveryFailed):
    """The channel is set up wrongly or gone, until somebody mends it: it is disabled."""

    code = ErrorCode.FORBIDDEN
    is_permanent = True
    disables_channel = True


class SecretsDecryptionFailed(ChannelMisconfigured):
    """A channel's secrets are encrypted under a key that is no longer there: they must be entered again."""


class ChannelDisabled(DeliveryFailed):
    """The channel was disabled after the message was written."""

    code = ErrorCode.CONFLICT
    is_permanent = True


class InvalidRule(AppError):
    """A rule that names what does not exist, or is not what the admin would have stored."""

    code = ErrorCode.SERVER_ERROR
