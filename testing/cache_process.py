"""One process of several that read the same cold key: `python -m testing.cache_process KEY READERS FILE`.

Waits for a line on standard input, so that all begin together; each load adds a line to FILE.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from performance import cache_backends
from performance.cache import get_cache

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")


def main() -> None:
    """Read, and print how many readers got the value."""
    cache_backends.REDIS_TIMEOUTS.update(socket_connect_timeout=10, socket_timeout=10)  # a busy machine is no outage
    key, readers, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    cache = get_cache(namespace="herd")

    def load() -> str:
        with file.open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return "loaded"

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(readers) as pool:
        values = list(pool.map(lambda _: cache.load(key, load), range(readers)))
    print(values.count("loaded"), flush=True)


if __name__ == "__main__":
    main()
