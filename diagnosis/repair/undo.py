"""Undo a repair: apply its journal backwards in batches, except to rows that have changed since."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from diagnosis.models import RepairChange, RepairRun
from diagnosis.repair.change_set import (
    REPAIR_BATCH_SIZE,
    delete_outdated_summaries,
    delete_rows,
    get_column_values,
    get_model_by_label,
    insert_rows,
    set_column_values,
    update_columns,
)


@dataclass
class UndoResult:
    """The number of rows restored, and of rows skipped because they have changed since the repair."""

    restored: int = 0
    skipped: int = 0


def get_latest_repair_run() -> RepairRun | None:
    """Return the newest repair that is not undone."""
    return RepairRun.objects.filter(undone_at=None).order_by("-pk").first()


def undo_repair_run(run: RepairRun, on_progress: Callable[[int], None] = lambda rows: None) -> UndoResult:
    """Restore the rows of a repair, newest change first. After an interruption it can be called again."""
    result = UndoResult()
    while True:
        with transaction.atomic():
            batch = list(run.changes.filter(is_undone=False).order_by("-pk").select_for_update()[:REPAIR_BATCH_SIZE])
            for _key, group in itertools.groupby(
                batch, lambda change: (change.model, change.before is None, change.after is None)
            ):
                _undo_group(list(group), result)
            RepairChange.objects.filter(pk__in=[change.pk for change in batch]).update(is_undone=True)
        on_progress(len(batch))
        if len(batch) < REPAIR_BATCH_SIZE:
            break
    run.undone_at = timezone.now()
    run.save(update_fields=["undone_at"])
    return result


def _undo_group(changes: Sequence[RepairChange], result: UndoResult) -> None:
    """Undo changes of one kind (created, changed or deleted rows) to one table."""
    model = get_model_by_label(changes[0].model)
    if changes[0].after is None:
        deleted_rows = [model() for _change in changes]
        for deleted_row, change in zip(deleted_rows, changes, strict=True):
            set_column_values(deleted_row, change.before or {})
        result.restored += len(insert_rows(model, deleted_rows))
        return
    locked_rows = model._default_manager.select_for_update().in_bulk([change.key for change in changes])
    rows = {str(pk): row for pk, row in locked_rows.items()}
    if changes[0].before is None:
        restored_keys = [change.key for change in changes if _is_unchanged_since(rows.get(change.key), change.after)]
        delete_rows(model, restored_keys)
    else:
        restored_keys = []
        columns_by_key: dict[str, set[str]] = defaultdict(set)
        for change in changes:
            row = rows.get(change.key)
            if row is not None and _is_unchanged_since(row, change.after):
                set_column_values(row, change.before or {})
                columns_by_key[change.key] |= set(change.before or {})
                restored_keys.append(change.key)
        update_columns((rows[key], columns) for key, columns in columns_by_key.items())
        delete_outdated_summaries(rows[key] for key, columns in columns_by_key.items() if "report" in columns)
    result.restored += len(restored_keys)
    result.skipped += len(changes) - len(restored_keys)


def _is_unchanged_since(row: Model | None, after: dict[str, Any] | None) -> bool:
    return row is not None and after is not None and get_column_values(row, after) == after
