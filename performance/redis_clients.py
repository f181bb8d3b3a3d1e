"""Clients of the Redis at REDIS_URL: one server, or the one that Sentinels name, also after a failover.

redis://[user:password@]host:6379/0
redis+sentinel://[user:password@]host:26379,host:26379,host:26379/service/0[?sentinel_password=...]
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis.asyncio.sentinel
import redis.sentinel
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

SENTINEL_SCHEME = "redis+sentinel"
DEFAULT_SENTINEL_PORT = 26379
SENTINEL_URL_FORMAT = "redis+sentinel://host:26379,host:26379/service/0"


@dataclass(frozen=True)
class SentinelUrl:
    """The parts of a `redis+sentinel://` URL; the options are those of connections to Redis and to the Sentinels."""

    sentinels: list[tuple[str, int]]
    service: str
    redis_options: dict[str, Any]
    sentinel_options: dict[str, Any]


def parse_sentinel_url(url: str) -> SentinelUrl | None:
    """Parse the URL; None for one of a single server. Raises ValueError."""
    if not url.startswith(f"{SENTINEL_SCHEME}://"):
        return None
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = query.keys() - {"sentinel_username", "sentinel_password"}
    if not hosts or not service or unknown or (database and not database.isdigit()):
        raise ValueError(f"must be {SENTINEL_URL_FORMAT}")
    credentials = {"username": unquote(user), "password": unquote(password)}
    sentinel_credentials = {name.removeprefix("sentinel_"): value for name, value in query.items()}
    return SentinelUrl(
        sentinels=[_parse_address(address) for address in hosts.split(",")],
        service=service,
        redis_options={"db": int(database or 0)} | {name: value for name, value in credentials.items() if value},
        sentinel_options=sentinel_credentials,
    )


def create_redis(url: str, **options: Any) -> Redis:
    """Return a client; options are those of connections, such as `socket_timeout`."""
    parsed = parse_sentinel_url(url)
    if parsed is None:
        return Redis.from_url(url, **options)
    sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        parsed.sentinels, sentinel_kwargs=parsed.sentinel_options | _get_timeouts(options)
    )
    client: Redis = sentinel.master_for(parsed.service, **parsed.redis_options, **options)  # type: ignore[no-untyped-call]
    return client


def create_async_redis(url: str, **options: Any) -> AsyncRedis:
    """Return an asynchronous client, like `create_redis`."""
    parsed = parse_sentinel_url(url)
    if parsed is None:
        return AsyncRedis.from_url(url, **options)
    sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        parsed.sentinels, sentinel_kwargs=parsed.sentinel_options | _get_timeouts(options)
    )
    client: AsyncRedis = sentinel.master_for(parsed.service, **parsed.redis_options, **options)
    return client


def build_channel_layer_host(url: str, **options: Any) -> dict[str, Any]:
    """Return the entry of `hosts` in the configuration of channels_redis. Raises ValueError."""
    parsed = parse_sentinel_url(url)
    if parsed is None:
        return {"address": url, **options}
    return {
        "master_name": parsed.service,
        "sentinels": parsed.sentinels,
        "sentinel_kwargs": parsed.sentinel_options | {"socket_timeout": 1, "socket_connect_timeout": 1},
        **parsed.redis_options,
        **options,
    }


def build_cache_settings(url: str) -> dict[str, Any]:
    """Return a Django cache at the URL, which is skipped while Redis is unavailable. Raises ValueError."""
    options: dict[str, Any] = {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1, "IGNORE_EXCEPTIONS": True}
    parsed = parse_sentinel_url(url)
    location = url
    if parsed:
        location = f"redis://{parsed.service}/{parsed.redis_options['db']}"
        options |= {
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": parsed.sentinels,
            "SENTINEL_KWARGS": parsed.sentinel_options | {"socket_timeout": 1, "socket_connect_timeout": 1},
            "CONNECTION_POOL_KWARGS": {name: value for name, value in parsed.redis_options.items() if name != "db"},
        }
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location, "OPTIONS": options}


def _parse_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(DEFAULT_SENTINEL_PORT))
    if not host or not port.isdigit():
        raise ValueError(f"must be {SENTINEL_URL_FORMAT}")
    return host, int(port)


def _get_timeouts(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name.startswith("socket_")}
