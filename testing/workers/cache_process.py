"""Processes that read the same cold key of the cache at once.

    python -m testing.workers.cache_process KEY READERS FILE

Waits for a line on standard input, so that all begin together. Each load adds a line to FILE. Prints how many readers
got the value.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from performance import cache_backends
from performance.cache import get_cache

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def count_cold_key_loads(redis_url: str, *, processes: int, readers: int) -> tuple[int, int]:
    """Read a cold key by so many readers in each of so many processes; return the loads and the readers served."""
    with tempfile.TemporaryDirectory() as directory:
        loads_file = Path(directory) / "loads"
        command = [sys.executable, "-m", "testing.workers.cache_process", "cold", str(readers), str(loads_file)]
        environment = {**os.environ, "REDIS_URL": redis_url, "ENVIRONMENT": "development"}
        pipe = subprocess.PIPE
        running = [
            subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, text=True, stdin=pipe, stdout=pipe)
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout
            process.stdout.readline()
        for process in running:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        served = sum(int(process.communicate(timeout=180)[0]) for process in running)
        return len(loads_file.read_text().splitlines()), served


def main(key: str, readers: int, loads_file: Path) -> None:
    """Read the key by so many threads."""
    cache_backends.REDIS_TIMEOUTS.update(socket_connect_timeout=10, socket_timeout=10)  # for a busy machine
    cache = get_cache(namespace="cold-key")

    def load() -> str:
        with loads_file.open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return "loaded"

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(readers) as pool:
        values = list(pool.map(lambda _: cache.load(key, load), range(readers)))
    print(values.count("loaded"), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
