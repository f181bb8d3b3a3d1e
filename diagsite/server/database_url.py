"""DATABASE_URL with several hosts, as libpq takes it: the site connects to the one that accepts writes."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

# A host that has disappeared must not delay the connection to the next one for minutes, nor hold an open connection.
FAILOVER_OPTIONS = {
    "target_session_attrs": "read-write",
    "connect_timeout": "3",
    "tcp_user_timeout": "8000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


def split_hosts(url: str) -> tuple[str, dict[str, Any]]:
    """Return the URL with its first host only, and for several hosts the settings of Django that name them all."""
    parts = urlsplit(url)
    user_info, at, hosts = parts.netloc.rpartition("@")
    addresses = hosts.split(",")
    if len(addresses) == 1:
        return url, {}
    names = [address.rpartition(":")[0] if ":" in address else address for address in addresses]
    ports = [address.rpartition(":")[2] if ":" in address else "5432" for address in addresses]
    first = urlunsplit(parts._replace(netloc=f"{user_info}{at}{addresses[0]}"))
    return first, {"HOST": ",".join(names), "PORT": ",".join(ports)}
