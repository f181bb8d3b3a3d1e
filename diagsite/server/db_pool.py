"""How a connection pool meets a database that has been away."""

import contextlib
from typing import Any

from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

RECONNECT_TIMEOUT_SECONDS = 2.0  # the pool asks at once, after 1 s and after 2 s; left to itself ever more rarely


def retry_connect(pool: "ConnectionPool[Any]") -> None:
    """Have a pool that has given up start again for those who wait: only somebody who asks makes it do so."""
    with contextlib.suppress(PoolTimeout):
        pool.putconn(pool.getconn(timeout=0.1))


async def retry_connect_async(pool: "AsyncConnectionPool[Any]") -> None:
    """The same for the worker's pool."""
    with contextlib.suppress(PoolTimeout):
        await pool.putconn(await pool.getconn(timeout=0.1))
