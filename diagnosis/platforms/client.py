"""One question to a platform and its reply. Every failure becomes a CallFailed with its reason."""

from diagnosis.choices import FailureReason
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import Endpoint
from diagnosis.platforms.protocols import chat
from diagnosis.platforms.transport import TransportError, send
from diagnosis.replies import PlatformReply


async def ask_platform(platform: Platform, question: str, *, seed: int, timeout_seconds: float) -> PlatformReply:
    """Return the platform's reply to a question. Raises only CallFailed and CancelledError.

    seed: varies the answers of the demo platform; it is not sent to real platforms.
    """
    endpoint = Endpoint.from_platform(platform)
    request = chat.build_request(endpoint, platform.model, question, seed=seed if platform.is_demo else None)
    try:
        response = await send(request, timeout_seconds=timeout_seconds)
    except TransportError as error:
        raise endpoint.build_failure(error.reason, error) from error
    try:
        return chat.parse_reply(endpoint, response)
    except RecursionError as error:
        raise endpoint.build_failure(FailureReason.UNREADABLE, "a body nested too deeply") from error
