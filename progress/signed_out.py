"""Closes the sockets of who has signed out meanwhile: looked up for all sockets of the process at once, once a ping."""

import asyncio
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from progress.access import Proof, no_longer_good

log = structlog.get_logger(__name__)

_no_longer_good = database_sync_to_async(no_longer_good, thread_sensitive=False)


class SignedInSocket(Protocol):
    """What is checked: `proof` is None until somebody has signed in."""

    proof: Proof | None

    def sign_out(self) -> None:
        """Close it: the proof is no good any more."""


_checks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


def ensure_checking(sockets: Iterable[SignedInSocket]) -> None:
    """Check them every PING_SECONDS from now on, for as long as there are any."""
    loop = asyncio.get_running_loop()
    task = _checks.get(loop)
    if task is None or task.done():
        _checks[loop] = loop.create_task(_keep_checking(sockets), name="signed_out")


async def _keep_checking(sockets: Iterable[SignedInSocket]) -> None:
    while True:
        await asyncio.sleep(settings.PING_SECONDS)
        shown = {socket: socket.proof for socket in sockets}
        if not shown:
            return
        try:
            gone = await _no_longer_good({proof for proof in shown.values() if proof})
        except Exception as error:  # noqa: BLE001 - the database may be away; the next look tries again
            log.warning("sign_outs_unchecked", error=repr(error))
            continue
        for socket, proof in shown.items():
            if proof in gone and socket.proof == proof:  # it may have shown a newer one since
                socket.sign_out()
