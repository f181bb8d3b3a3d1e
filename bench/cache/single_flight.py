"""Many readers of a cold key, in several processes at once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT_ROOT = Path(__file__).parents[2]


def count_cold_key_loads(redis_url: str, *, processes: int = 4, readers: int = 50) -> tuple[int, int]:
    """How often it was loaded, and how many readers got it."""
    with tempfile.TemporaryDirectory() as directory:
        loads = Path(directory) / "loads"
        command = [sys.executable, "-m", "testing.cache_process", "cold", str(readers), str(loads)]
        environment = {**os.environ, "REDIS_URL": redis_url, "ENVIRONMENT": "development"}
        pipe = subprocess.PIPE
        running = [
            subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, text=True, stdin=pipe, stdout=pipe)
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        served = sum(int(process.communicate(timeout=60)[0]) for process in running)
        return len(loads.read_text().splitlines()), served
