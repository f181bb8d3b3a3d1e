"""Break a hundred thousand records in known ways, repair them, take it back: found, touched, how long, how much memory.

python -m bench.history.repair [--broken N] [--good N] [--seed N]
"""

import argparse
import resource
import sys
import time
from functools import partial

from bench.alerts.database import use_own_database
from bench.figures import Figure, report

MOST_MEGABYTES = 150  # that a repair may add to the process, however many records there are


def measure_repair(*, broken: int, good: int, seed: int) -> list[Figure]:
    """Old records: what is found, mended, touched, and put back."""
    use_own_database()
    from django.db import connection

    from diagnosis.history.models import LegacyRecord
    from diagnosis.history.repair import choose_defects, find_defects, repair
    from diagnosis.history.undo import undo_run
    from diagnosis.tests.broken_history import fingerprints, make_history
    from diagnosis.tests.rows import make_user

    truth = make_history(make_user("of-the-bench").pk, broken=broken, good=good, seed=seed)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    began = time.monotonic()
    found = {
        defect.name: {str(row) if isinstance(row, LegacyRecord) else row.pk for row in defect.broken().iterator()}
        for defect in choose_defects()
    }
    looking = time.monotonic() - began
    missed = sum(len(keys - found[name]) for name, keys in truth.broken.items())
    accused = set().union(*found.values()) - set().union(*truth.broken.values())
    everything, kept = fingerprints(), fingerprints(truth.good | truth.busy)
    memory, began = _megabytes(), time.monotonic()
    run = repair()
    seconds, memory = time.monotonic() - began, _megabytes() - memory
    left = sum(one.count for one in find_defects())
    is_kept = fingerprints(truth.good | truth.busy) == kept
    began = time.monotonic()
    undone = undo_run(run)
    is_back = fingerprints() == everything
    size = f"{broken} broken, {good} good, {len(truth.busy)} under work (seed {seed})"
    return [
        Figure(f"found of {size}", "100 %", f"{1 - missed / broken:.4%} in {looking:.1f} s", missed == 0),
        Figure("good records found", "0", str(len(accused)), not accused),
        Figure("good records, and those under work, touched", "0", "0" if is_kept else "some", is_kept),
        Figure("found by a second run", "0", f"{left} (repair took {seconds:.0f} s)", left == 0),
        Figure(
            "memory that the repair added",
            f"<= {MOST_MEGABYTES} MB",
            f"{memory:.0f} MB ({broken / seconds:.0f} records/s)",
            memory <= MOST_MEGABYTES,
        ),
        Figure(
            "as before after --undo",
            "every row",
            f"{'every row' if is_back else 'not every row'} ({undone.rows} in {time.monotonic() - began:.0f} s)",
            is_back and undone.left == 0,
        ),
    ]


def _megabytes() -> float:
    """The most that this process has had at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", type=int, default=100_000)
    parser.add_argument("--good", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    measure = partial(measure_repair, broken=chosen.broken, good=chosen.good, seed=chosen.seed)
    measure.__doc__ = measure_repair.__doc__
    sys.exit(report("history-repair", [measure]))
