"""A short form of `make bench-sources`."""

from bench.tests.module_runs import run_bench_module


def test_pages_are_read_as_they_were_cited() -> None:
    figures, ended = run_bench_module("sources.accuracy", "--questions", "3")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(figures) == 2
