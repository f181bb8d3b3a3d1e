"""What a platform's reply consists of, whatever its protocol."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """What a call consumed, as the platform reports it; None where it reports nothing.

    completion_tokens: include reasoning_tokens.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    searches: int | None = None


@dataclass(frozen=True)
class PlatformReply:
    """A valid reply: its text, the model as the platform names it, and what the call consumed."""

    text: str
    model: str
    usage: Usage = Usage()
