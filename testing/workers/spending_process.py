"""A process that reserves, makes and settles calls as fast as budgets allow, until it is killed.

python -m testing.workers.spending_process SEED CONCURRENCY OWNER_ID SCHEDULE_ID PLATFORM...
"""

import asyncio
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import django

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PAUSE_AFTER_REFUSAL_SECONDS = 0.02


def start_spending_process(
    seed: int, concurrency: int, owner_id: int, schedule_id: uuid.UUID, platform_ids: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Start a process on this process's database."""
    arguments = [seed, concurrency, owner_id, schedule_id, *platform_ids]
    command = [sys.executable, "-m", "testing.workers.spending_process", *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _spend(seed: int, concurrency: int, owner_id: int, schedule_id: uuid.UUID, platform_ids: list[str]) -> None:
    from diagnosis.choices import CallPurpose
    from diagnosis.exceptions import CallFailed
    from diagnosis.replies import PlatformReply
    from diagnosis.running.paid_calls import PaidCalls
    from diagnosis.spending.ledger import CallRequest
    from diagnosis.spending.pricing import get_usage
    from testing.data.calls import ask_platform

    paid_calls, rng = PaidCalls(lambda requests: [True] * len(requests)), random.Random(seed)

    async def call_repeatedly() -> None:
        while True:
            purpose = rng.choice([CallPurpose.ANSWER, CallPurpose.PROBE])
            is_answer = purpose == CallPurpose.ANSWER
            request = CallRequest(
                rng.choice(platform_ids),
                purpose,
                "问",
                owner_id if is_answer else None,
                schedule_id if is_answer else None,
            )
            try:
                reservation, _decided_at = await paid_calls.reserve(request)
            except Exception:  # noqa: BLE001 - a budget without room
                await asyncio.sleep(PAUSE_AFTER_REFUSAL_SECONDS)
                continue
            outcome: PlatformReply | CallFailed
            try:
                outcome = await ask_platform(reservation.platform, request.text, seed=0, timeout_seconds=5)
            except CallFailed as failure:
                outcome = failure
            paid_calls.settle(reservation, get_usage(outcome))

    await asyncio.gather(*(call_repeatedly() for _ in range(concurrency)))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    django.setup()
    _seed, _concurrency, _owner, _schedule, *_platforms = sys.argv[1:]
    asyncio.run(_spend(int(_seed), int(_concurrency), int(_owner), uuid.UUID(_schedule), _platforms))
