"""A short form of `make bench-workspace`; the fill has tests of its own in diagnosis."""

import json
import subprocess
import sys

from bench.harness import RESULTS_DIRECTORY
from testing.site import PROJECT_ROOT


def test_an_overview_needs_few_queries() -> None:
    result_path = RESULTS_DIRECTORY / "workspace-load.json"
    before = result_path.read_bytes() if result_path.exists() else None
    command = [sys.executable, "-m", "bench.workspace.load", "--runs", "8", "--answers", "20", "--recounted", "2"]
    try:
        ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        assert result_path.exists(), ended.stderr
        figures = json.loads(result_path.read_text(encoding="utf-8"))["figures"]
    finally:
        if before is None:
            result_path.unlink(missing_ok=True)
        else:
            result_path.write_bytes(before)
    (queries,) = (figure for figure in figures if figure["figure"] == "queries of an overview")
    assert queries["is_held"], queries
