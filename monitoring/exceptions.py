"""Why a message did not reach its channel, one class per outcome; and invalid rules."""

from typing import ClassVar

from errors.codes import ErrorCode
from errors.exceptions import AppError

MAX_DETAIL_CHARACTERS = 200


class DeliveryFailed(AppError):
    """A message was not delivered. `detail` and `provider_code` are the provider's, without secrets.

    `is_permanent`: a retry of this message cannot succeed; `disables_channel`: no message can, if it is true for long.
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
    """The provider has a temporary failure: retry."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class ChannelUnreachable(DeliveryFailed):
    """The connection failed: retry."""

    code = ErrorCode.NETWORK_ERROR


class ChannelTimedOut(DeliveryFailed):
    """No response in time: the message may have arrived; it is retried under the same number."""

    code = ErrorCode.NETWORK_TIMEOUT


class ChannelRateLimited(DeliveryFailed):
    """Too many messages: retry after the wait."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, detail: str, *, provider_code: str = "", wait_seconds: float | None = 60.0) -> None:
        super().__init__(detail, provider_code=provider_code, wait_seconds=wait_seconds)
        self.params = {"seconds": int(self.wait_seconds) or 1}


class MessageRejected(DeliveryFailed):
    """The provider rejects this message; the next one may be accepted."""

    code = ErrorCode.INVALID_INPUT
    is_permanent = True


class ChannelMisconfigured(DeliveryFailed):
    """The channel's configuration is wrong or its destination is gone.

    One such answer may be wrong, so it is retried; a channel that only gives such answers for long is disabled.
    """

    code = ErrorCode.FORBIDDEN
    disables_channel = True


class SecretsDecryptionFailed(ChannelMisconfigured):
    """No current key decrypts the secrets of a channel: they must be entered again."""


class ChannelDisabled(DeliveryFailed):
    """The channel was disabled after the message was enqueued."""

    code = ErrorCode.CONFLICT
    is_permanent = True


class InvalidRule(AppError):
    """A rule refers to an unknown metric or has invalid matchers: it was not stored through the admin."""

    code = ErrorCode.SERVER_ERROR
