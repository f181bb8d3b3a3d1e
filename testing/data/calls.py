"""Calls to a platform that belong to no diagnosis, for tests of what every call passes."""

import asyncio

from diagnosis.choices import CallPurpose
from diagnosis.models import Platform
from diagnosis.platforms.client import PlatformCall
from diagnosis.replies import PlatformReply
from diagnosis.running.admission import Admission, Call
from diagnosis.running.calls import call_with_retries
from diagnosis.running.results import CallResult


async def call_platform(
    platform: Platform, text: str = "问", *, seed: int = 1, seconds: float = 60, admission: Admission | None = None
) -> CallResult:
    """Call a stored platform with retries; return the result."""
    results: list[CallResult] = []

    async def finish(result: CallResult) -> None:
        results.append(result)

    deadline = asyncio.get_running_loop().time() + seconds
    call = Call(platform.pk, CallPurpose.TEST, text, seed=seed)
    admission = admission or Admission()
    try:
        await call_with_retries(admission, call, finish, deadline=deadline)
    finally:
        await admission.flush()
    (result,) = results
    return result


async def ask_platform(platform: Platform, question: str, *, seed: int, timeout_seconds: float) -> PlatformReply:
    """Return the platform's reply to a question. Raises only CallFailed and CancelledError.

    seed: varies the answers of the demo platform; it is not sent to real platforms.
    timeout_seconds: of each step.
    """
    call = PlatformCall(platform, question)
    while True:
        reply = await call.take_step(seed=seed, timeout_seconds=timeout_seconds)
        if reply:
            return reply
