"""The bench of paid calls in short: what no busy machine can change."""

import os

import pytest

from bench.tests.module_runs import run_bench_module
from testing.services import DIRECTORY_VARIABLE


@pytest.mark.redis
def test_no_call_is_unwanted_or_repeated() -> None:
    # It takes the database away, so it starts a PostgreSQL of its own.
    environment = {name: value for name, value in os.environ.items() if name != DIRECTORY_VARIABLE}
    options = ["--only", "changes,outages", "--interleavings", "4", "--outages", "1"]
    figures, _ended = run_bench_module("spending.calls", *options, environment=environment)
    assert len(figures) == 2
    assert [figure["measured"] for figure in figures if not figure["is_held"]] == []
