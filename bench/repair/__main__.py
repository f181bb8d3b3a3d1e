"""Break records in known ways, repair them, undo it; found, changed, time, memory: `make bench-repair`.

python -m bench.repair [--broken N] [--good N] [--seed N]
"""

import argparse
import sys
import time
from functools import partial

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, get_peak_memory_megabytes, run_measurements

MAX_ADDED_MEGABYTES = 150  # by which a repair may increase the process, for any number of records


def measure_repair(*, broken: int, good: int, seed: int) -> list[BenchmarkResult]:
    """Create the records, find, repair, find again, and undo."""
    start_bench_database()
    from django.db import connection

    from diagnosis.models import LegacyRecord
    from diagnosis.repair.runner import find_defects, run_repair, select_defects
    from diagnosis.repair.undo import undo_repair_run
    from testing.data.broken_records import compute_fingerprints, create_broken_records
    from testing.data.diagnoses import make_user

    truth = create_broken_records(make_user("of-the-bench").pk, broken=broken, good=good, seed=seed)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    began = time.monotonic()
    detected = {
        defect.name: {
            str(row) if isinstance(row, LegacyRecord) else row.pk for row in defect.find_affected().iterator()
        }
        for defect in select_defects()
    }
    detection_seconds = time.monotonic() - began
    missed = sum(len(keys - detected[name]) for name, keys in truth.broken.items())
    false_positives = set().union(*detected.values()) - set().union(*truth.broken.values())
    fingerprints_before, untouchable_before = (
        compute_fingerprints(),
        compute_fingerprints(truth.good | truth.in_progress),
    )
    memory, began = get_peak_memory_megabytes(), time.monotonic()
    run = run_repair()
    seconds, memory = time.monotonic() - began, get_peak_memory_megabytes() - memory
    remaining = sum(defect.count for defect in find_defects())
    is_untouched = compute_fingerprints(truth.good | truth.in_progress) == untouchable_before
    began = time.monotonic()
    undone = undo_repair_run(run)
    is_restored = compute_fingerprints() == fingerprints_before
    size = f"{broken} broken, {good} good, {len(truth.in_progress)} in progress (seed {seed})"
    return [
        BenchmarkResult(
            f"found of {size}", "100 %", f"{1 - missed / broken:.4%} in {detection_seconds:.1f} s", missed == 0
        ),
        BenchmarkResult("good records found", "0", str(len(false_positives)), not false_positives),
        BenchmarkResult(
            "good records, and those in progress, changed", "0", "0" if is_untouched else "some", is_untouched
        ),
        BenchmarkResult("found by a second run", "0", f"{remaining} (repair took {seconds:.0f} s)", remaining == 0),
        BenchmarkResult(
            "memory that the repair added",
            f"<= {MAX_ADDED_MEGABYTES} MB",
            f"{memory:.0f} MB ({broken / seconds:.0f} records/s)",
            memory <= MAX_ADDED_MEGABYTES,
        ),
        BenchmarkResult(
            "restored by --undo",
            "every row",
            f"{'' if is_restored else 'not '}every row ({undone.restored} in {time.monotonic() - began:.0f} s)",
            is_restored and undone.skipped == 0,
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", type=int, default=100_000)
    parser.add_argument("--good", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measure = partial(measure_repair, broken=options.broken, good=options.good, seed=options.seed)
    sys.exit(run_measurements("history-repair", [("repair", measure)]))
