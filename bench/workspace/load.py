"""Overview, sources and recount of a workspace with 2,000 runs of 200 answers, 10 platforms and 11 brands.

python -m bench.workspace.load [--runs N] [--answers N] [--recounted N]
"""

import argparse
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, get_quantile, run_measurements

if TYPE_CHECKING:
    from django.test import Client

    from diagnosis.models import Workspace

OVERVIEWS, SOURCE_READS, SOURCE_RUNS = 100, 15, 52
MAX_OVERVIEW_SECONDS, MAX_OVERVIEW_QUERIES, MAX_SOURCES_SECONDS, MAX_RECOUNT_MINUTES = 0.3, 8, 0.5, 15


def measure_load(*, runs: int, answers: int, recounted: int) -> list[BenchmarkResult]:
    """Create the workspace and measure each on it."""
    start_bench_database()
    from django.db import connection
    from django.test import Client

    from bench.page.data import create_user
    from bench.workspace.data import create_runs
    from diagnosis.models import Answer, Diagnosis, RunFigure

    user = create_user()
    workspace = create_runs(user, runs=runs, answers=answers)
    client = Client()
    client.force_login(user)
    counts = [model.objects.count() for model in (Diagnosis, Answer, RunFigure)]
    size = "{:,} runs, {:,} answers, {:,} figures".format(*counts)
    assert connection.vendor == "postgresql"
    return [
        *measure_overview(client, workspace, size),
        measure_sources(client, workspace),
        measure_recount(workspace, counts[0], min(recounted, counts[0])),
    ]


def measure_overview(client: "Client", workspace: "Workspace", size: str) -> list[BenchmarkResult]:
    """Request the overview a hundred times and count the queries of one."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    url = f"/api/workspaces/{workspace.pk}/overview"
    with CaptureQueriesContext(connection) as captured:
        assert len(client.get(url).json()["trend"]) > 1
    # The session of the browser is read besides; requests with a token have none.
    queries = [query["sql"] for query in captured.captured_queries if '"django_session"' not in query["sql"]]
    seconds = [_measure_request(client, url) for _number in range(OVERVIEWS)]
    p95 = get_quantile(seconds, 0.95)
    return [
        BenchmarkResult(
            f"overview over {size}, p95 of {OVERVIEWS} requests, at the server",
            f"< {MAX_OVERVIEW_SECONDS * 1000:.0f} ms",
            f"{p95 * 1000:.0f} ms (median {get_quantile(seconds, 0.5) * 1000:.0f} ms)",
            p95 < MAX_OVERVIEW_SECONDS,
        ),
        BenchmarkResult(
            "queries of an overview",
            f"<= {MAX_OVERVIEW_QUERIES}",
            str(len(queries)),
            len(queries) <= MAX_OVERVIEW_QUERIES,
        ),
    ]


def measure_sources(client: "Client", workspace: "Workspace") -> BenchmarkResult:
    """Request the sources of the newest 52 runs."""
    url = f"/api/workspaces/{workspace.pk}/sources?runs={SOURCE_RUNS}"
    body = client.get(url).json()
    assert body["hosts"], body
    slowest = get_quantile([_measure_request(client, url) for _number in range(SOURCE_READS)], 0.95)
    return BenchmarkResult(
        f"sources of {body['runs']} runs with {body['answers']:,} answers, p95 of {SOURCE_READS}, at the server",
        f"< {MAX_SOURCES_SECONDS * 1000:.0f} ms",
        f"{slowest * 1000:.0f} ms",
        slowest < MAX_SOURCES_SECONDS,
    )


def measure_recount(workspace: "Workspace", runs: int, recounted: int) -> BenchmarkResult:
    """Add a spelling in a quarter of the answers and count a part of the runs again; the duration of all follows."""
    from dataclasses import replace

    from bench.workspace.data import NEW_SPELLING
    from diagnosis.corrections.recount import count_progress, recount_next
    from diagnosis.workspaces.names import load_names
    from diagnosis.workspaces.names_edit import apply_names

    names = [
        replace(brand, aliases=(*brand.aliases, NEW_SPELLING)) if brand.is_own else brand
        for brand in load_names(workspace)
    ]
    apply_names(workspace, names, workspace.names_version)
    began = time.monotonic()
    assert all(recount_next(workspace.pk) for _number in range(recounted))
    seconds = time.monotonic() - began
    workspace.refresh_from_db()
    assert count_progress(workspace)["done"] == recounted
    minutes = seconds / recounted * runs / 60
    measured = f"{minutes:.1f} min" if recounted == runs else f"{minutes:.1f} min, as {recounted} took {seconds:.0f} s"
    return BenchmarkResult(
        f"full recount of {runs:,} runs after a new spelling in a quarter of the answers",
        f"< {MAX_RECOUNT_MINUTES} min",
        measured,
        minutes < MAX_RECOUNT_MINUTES,
    )


def _measure_request(client: "Client", url: str) -> float:
    started = time.perf_counter()
    assert client.get(url).status_code == 200
    return time.perf_counter() - started


def main() -> int:
    """Run the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--answers", type=int, default=200, help="of a run, in steps of 20")
    parser.add_argument("--recounted", type=int, default=200, help="runs that are counted again; the others are not")
    options = parser.parse_args()
    measure = partial(measure_load, runs=options.runs, answers=options.answers, recounted=options.recounted)
    return run_measurements("workspace-load", [("workspace under load", measure)])


if __name__ == "__main__":
    sys.exit(main())
