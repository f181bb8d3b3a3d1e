"""Workspaces filled on a site of an earlier release: killed in the middle, run again, and every old figure as before.

python -m bench.workspace.fill [--old N] [--seed N]
"""

import argparse
import sys
import time
from functools import partial

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements
from testing.services import wait_until
from testing.site import SiteProcess

# A part of the generated records is broken in the ways that imports and earlier releases left behind.
BROKEN_SHARE = 0.2
COMMAND = ["fill_workspaces", "--apply"]
# What the pages of an old diagnosis are made of; the workspace itself is what a fill sets.
OLD_FIGURES = {
    "diagnosis_diagnosis": "id, brand, status, planned, valid, failed, report, revision, panel, names_version",
    "diagnosis_brand": "diagnosis_id, name, aliases, sites, is_own, position",
    "diagnosis_question": "id, diagnosis_id, text, position",
    "diagnosis_answer": "id, state, text, mentions, others, discovered, domains, model",
}

FILLED_ROWS = {
    "diagnosis_diagnosis": "id, workspace_id",
    "diagnosis_runsummary": "*",
    "diagnosis_runfigure": "*",
    "diagnosis_trackedbrand": "*",
    "diagnosis_spelling": "*",
}


def measure_fill(*, old: int, seed: int) -> list[BenchmarkResult]:
    """Create the records, kill one fill when it has stored a tenth of the figures, and finish with another."""
    database = start_bench_database()
    from django.db.models import Count

    from diagnosis.models import Diagnosis, RunSummary, Workspace
    from diagnosis.workspaces.fill import count_unfilled
    from testing.data.broken_records import create_broken_records
    from testing.data.diagnoses import make_user

    broken = round(old * BROKEN_SHARE)
    create_broken_records(make_user("of-the-bench").pk, broken=broken, good=old - broken, seed=seed)
    before, total = compute_hashes(), Diagnosis.objects.count()
    to_store = count_unfilled().summaries
    with SiteProcess(COMMAND, database) as fill:
        wait_until(lambda: RunSummary.objects.count() > to_store // 10, "a tenth of the figures", 3600)
        assert fill.is_running
        fill.kill()
    interrupted = RunSummary.objects.count()
    began = time.monotonic()
    run_until_end(database)
    minutes = (time.monotonic() - began) / 60
    left, stored = count_unfilled(), RunSummary.objects.count()
    is_done = (left.diagnoses, left.names, left.summaries, stored) == (0, 0, 0, to_store)
    filled_once = compute_hashes(FILLED_ROWS)
    run_until_end(database)
    by_workspace = dict(Workspace.objects.annotate(runs=Count("diagnoses")).values_list("name", "runs"))
    return [
        BenchmarkResult(
            f"{total:,} old diagnoses filled, killed at {interrupted:,} stored figures and run again",
            "all in a workspace, none left",
            f"{stored:,} figures in {len(by_workspace)} workspaces, {left.diagnoses + left.summaries} left; "
            f"{minutes:.1f} min from the kill to the end",
            is_done,
        ),
        BenchmarkResult(
            "old reports, counts, answers, mentions and names afterwards",
            "as they were",
            "as they were" if compute_hashes() == before else "changed",
            compute_hashes() == before,
        ),
        BenchmarkResult(
            "changed by a further run",
            "0",
            "0" if compute_hashes(FILLED_ROWS) == filled_once else "some",
            compute_hashes(FILLED_ROWS) == filled_once,
        ),
    ]


def run_until_end(database: str) -> None:
    """Run the command to its end."""
    with SiteProcess(COMMAND, database) as fill:
        assert fill.wait(4 * 3600) == 0, fill.read_output()


def compute_hashes(tables: dict[str, str] = OLD_FIGURES) -> dict[str, str]:
    """Return {table: hash over these columns of all rows}."""
    from django.db import connection

    hashes = {}
    with connection.cursor() as cursor:
        for table, columns in tables.items():
            cursor.execute(
                f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM (SELECT {columns} FROM {table}) t"
            )
            hashes[table] = str(cursor.fetchone())
    return hashes


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return run_measurements("workspace-fill", [("fill", partial(measure_fill, old=options.old, seed=options.seed))])


if __name__ == "__main__":
    sys.exit(main())
