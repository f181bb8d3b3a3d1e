"""The bench of paid calls in short: what no busy machine can change."""

import json
import os
import subprocess
import sys

import pytest

from bench.harness import RESULTS_DIRECTORY
from testing.services import DIRECTORY_VARIABLE
from testing.site import PROJECT_ROOT


@pytest.mark.redis
def test_no_call_is_unwanted_or_repeated() -> None:
    options = ["--only", "changes,outages", "--interleavings", "4", "--outages", "1"]
    command = [sys.executable, "-m", "bench.spending.calls", *options]
    # It takes the database away, so it starts a PostgreSQL of its own.
    environment = {name: value for name, value in os.environ.items() if name != DIRECTORY_VARIABLE}
    result_path = RESULTS_DIRECTORY / "spending-calls.json"
    earlier = result_path.read_bytes() if result_path.exists() else None
    try:
        ended = subprocess.run(
            command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert ended.stdout, ended.stderr
        figures = json.loads(result_path.read_text())["figures"]
    finally:
        if earlier is None:
            result_path.unlink(missing_ok=True)
        else:
            result_path.write_bytes(earlier)
    assert len(figures) == 2
    assert [figure["measured"] for figure in figures if not figure["is_held"]] == []
