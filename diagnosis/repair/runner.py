"""Find defects of old records and fix them in batches, each in a transaction with its journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from diagnosis.models import RepairRun
from diagnosis.repair.change_set import REPAIR_BATCH_SIZE
from diagnosis.repair.defects import DEFECTS
from diagnosis.repair.defects.base import Defect

MAX_EXAMPLES = 3

RepairProgressCallback = Callable[[str, int], None]
"""Called after each batch with the name of the defect and the number of rows examined."""


@dataclass(frozen=True)
class DefectSummary:
    """The number of rows with a defect, and descriptions of some of them."""

    defect: Defect
    count: int
    examples: list[str]


def select_defects(names: Sequence[str] = ()) -> list[Defect]:
    """Return the defects with these names, or all, in the order of repair."""
    return [defect for defect in DEFECTS if not names or defect.name in names]


def find_defects(names: Sequence[str] = ()) -> list[DefectSummary]:
    """Find defects without changing anything. A row can have several; fixing one may resolve another."""
    analyze_tables()
    summaries = []
    for defect in select_defects(names):
        affected_rows = defect.find_affected()
        examples = [defect.describe(row) for row in affected_rows.order_by("pk")[:MAX_EXAMPLES]]
        summaries.append(DefectSummary(defect, affected_rows.count(), examples))
    return summaries


def analyze_tables() -> None:
    """Update the planner's statistics: right after an import PostgreSQL plans these queries for empty tables."""
    with connection.cursor() as cursor:
        for model in apps.get_app_config("diagnosis").get_models():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def run_repair(names: Sequence[str] = (), on_progress: RepairProgressCallback = lambda name, rows: None) -> RepairRun:
    """Fix all defects found. After an interruption, the next call continues with the same journal."""
    analyze_tables()
    run = RepairRun.objects.filter(finished_at=None, undone_at=None).order_by("-pk").first() or RepairRun()
    run.save()
    for defect in select_defects(names):
        affected_keys = defect.find_affected().order_by("pk").values_list("pk", flat=True)
        # From a server-side cursor, as there may be millions.
        key_iterator = affected_keys.iterator(chunk_size=REPAIR_BATCH_SIZE)
        while keys := list(islice(key_iterator, REPAIR_BATCH_SIZE)):
            with transaction.atomic():
                fixed_count, changes = defect.fix_batch(keys)
                changes.write(run, defect.name)
                run.mended[defect.name] = run.mended.get(defect.name, 0) + fixed_count
                run.save(update_fields=["mended"])
            on_progress(defect.name, len(keys))
    run.finished_at = timezone.now()
    run.save(update_fields=["finished_at"])
    return run
