"""Runs of bench modules in short, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bench.harness import RESULTS_DIRECTORY
from testing.site import PROJECT_ROOT


def run_bench_module(
    module: str, *options: str, environment: Mapping[str, str] = os.environ
) -> tuple[list[dict[str, Any]], "subprocess.CompletedProcess[str]"]:
    """Return the figures of `bench.MODULE` and its ended process; earlier results of the same module stay stored."""
    result_path = RESULTS_DIRECTORY / f"{module.replace('.', '-')}.json"
    earlier = result_path.read_bytes() if result_path.exists() else None
    result_path.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"bench.{module}", *options]
    try:
        ended = subprocess.run(
            command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert result_path.exists(), ended.stderr
        return json.loads(result_path.read_text(encoding="utf-8"))["figures"], ended
    finally:
        if earlier is None:
            result_path.unlink(missing_ok=True)
        else:
            result_path.write_bytes(earlier)
