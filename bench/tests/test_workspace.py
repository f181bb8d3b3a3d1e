"""A short form of `make bench-workspace`; the fill has tests of its own in diagnosis."""

from bench.tests.module_runs import run_bench_module


def test_an_overview_needs_few_queries() -> None:
    figures, _ended = run_bench_module("workspace.load", "--runs", "8", "--answers", "20", "--recounted", "2")
    (queries,) = (figure for figure in figures if figure["figure"] == "queries of an overview")
    assert queries["is_held"], queries
