"""Calls to a platform that belong to no diagnosis, for tests of what every call passes."""

import asyncio

from diagnosis.choices import CallPurpose
from diagnosis.models import Platform
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
