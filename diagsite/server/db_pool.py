"""Reconnection of connection pools after a database outage."""

import contextlib
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

RECONNECT_TIMEOUT_SECONDS = 2.0  # attempts after 0, 1 and 2 s; by default the intervals grow


def retry_connect(pool: "ConnectionPool[Any]") -> None:
    """Make a pool that stopped reconnecting try again; it does so only when a connection is requested."""
    with contextlib.suppress(PoolTimeout):
        pool.putconn(pool.getconn(timeout=0.1))


async def retry_connect_async(pool: "AsyncConnectionPool[Any]") -> None:
    """Like `retry_connect`, for an asynchronous pool."""
    with contextlib.suppress(PoolTimeout):
        await pool.putconn(await pool.getconn(timeout=0.1))
