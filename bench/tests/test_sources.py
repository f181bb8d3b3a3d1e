"""A short form of `make bench-sources`."""

import json
import subprocess
import sys

from bench.harness import RESULTS_DIRECTORY
from testing.site import PROJECT_ROOT


def test_pages_are_read_as_they_were_cited() -> None:
    result_path = RESULTS_DIRECTORY / "sources-accuracy.json"
    before = result_path.read_bytes() if result_path.exists() else None
    command = [sys.executable, "-m", "bench.sources.accuracy", "--questions", "3"]
    try:
        ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        assert result_path.exists(), ended.stderr
        figures = json.loads(result_path.read_text(encoding="utf-8"))["figures"]
    finally:
        if before is None:
            result_path.unlink(missing_ok=True)
        else:
            result_path.write_bytes(before)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(figures) == 2
