"""Closes sockets with revoked credentials or lost access; checked once per ping interval for the whole process."""

import asyncio
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from progress.access import Credential, Subscription, find_lost_access, find_revoked_credentials

log = structlog.get_logger(__name__)

_find_lost_access = database_sync_to_async(find_lost_access, thread_sensitive=False)
_find_revoked_credentials = database_sync_to_async(find_revoked_credentials, thread_sensitive=False)


class RevocableSocket(Protocol):
    """A socket that is checked; `credential` and `subscription` are None until the client is authenticated."""

    credential: Credential | None

    @property
    def subscription(self) -> Subscription | None: ...

    def close_revoked(self) -> None:
        """Close the socket because its credential has been revoked."""

    def close_hidden(self) -> None:
        """Close the socket because its user may no longer see the stream."""


_check_tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


def ensure_revocation_check(sockets: Iterable[RevocableSocket]) -> None:
    """Start checking the sockets every PING_SECONDS, as long as there are any."""
    loop = asyncio.get_running_loop()
    task = _check_tasks.get(loop)
    if task is None or task.done():
        _check_tasks[loop] = loop.create_task(_run_revocation_check_loop(sockets), name="signed_out")


async def _run_revocation_check_loop(sockets: Iterable[RevocableSocket]) -> None:
    while True:
        await asyncio.sleep(settings.PING_SECONDS)
        credentials = {socket: socket.credential for socket in sockets}
        subscriptions = {socket: socket.subscription for socket in credentials}
        if not credentials:
            return
        try:
            lost = await _find_lost_access({subscription for subscription in subscriptions.values() if subscription})
            revoked = await _find_revoked_credentials({credential for credential in credentials.values() if credential})
        except Exception as error:  # noqa: BLE001 - the database may be unavailable; the next check tries again
            log.warning("sign_outs_unchecked", error=repr(error))
            continue
        for socket, credential in credentials.items():
            if credential in revoked and socket.credential == credential:  # not replaced meanwhile
                socket.close_revoked()
            elif subscriptions[socket] in lost and socket.subscription == subscriptions[socket]:
                socket.close_hidden()
