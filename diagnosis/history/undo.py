"""Take a repair back: its journal read backwards, in batches, as far as nobody has changed the rows since."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from diagnosis.history.changes import ROWS_AT_ONCE, assign, columns_of, insert, model_of, remove, update
from diagnosis.history.models import RepairChange, RepairRun


@dataclass
class Undone:
    """How many rows are as they were before, and how many were left because they have been changed since."""

    rows: int = 0
    left: int = 0


def latest_run() -> RepairRun | None:
    """What --undo takes back: the newest repair that is not undone."""
    return RepairRun.objects.filter(undone_at=None).order_by("-pk").first()


def undo_run(run: RepairRun, on_progress: Callable[[int], None] = lambda rows: None) -> Undone:
    """Put every row of a repair back, the newest change first. Interrupted, it can be called again."""
    done = Undone()
    while True:
        with transaction.atomic():
            batch = list(run.changes.filter(is_undone=False).order_by("-pk").select_for_update()[:ROWS_AT_ONCE])
            for _key, alike in itertools.groupby(batch, lambda one: (one.model, one.before is None, one.after is None)):
                _undo_alike(list(alike), done)
            RepairChange.objects.filter(pk__in=[change.pk for change in batch]).update(is_undone=True)
        on_progress(len(batch))
        if len(batch) < ROWS_AT_ONCE:
            break
    run.undone_at = timezone.now()
    run.save(update_fields=["undone_at"])
    return done


def _undo_alike(changes: Sequence[RepairChange], done: Undone) -> None:
    """Changes of one kind to one table."""
    model = model_of(changes[0].model)
    if changes[0].after is None:
        done.rows += len(insert(model, [_row_of(model, change.before or {}) for change in changes]))
        return
    rows = {str(pk): row for pk, row in _locked(model, (change.key for change in changes)).items()}
    if changes[0].before is None:
        untouched = [change.key for change in changes if _is_as_left(rows.get(change.key), change.after)]
        remove(model, untouched)
    else:
        untouched = _put_back(model, changes, rows)
    done.rows += len(untouched)
    done.left += len(changes) - len(untouched)


def _locked(model: type[Model], keys: Iterable[str]) -> dict[Any, Model]:
    return model._default_manager.select_for_update().in_bulk(list(keys))


def _is_as_left(row: Model | None, after: dict[str, Any] | None) -> bool:
    return row is not None and after is not None and columns_of(row, after) == after


def _row_of(model: type[Model], columns: dict[str, Any]) -> Model:
    row = model()
    assign(row, columns)
    return row


def _put_back(model: type[Model], changes: Sequence[RepairChange], rows: dict[str, Model]) -> list[str]:
    """Returns the keys of those that were put back: once for each change of a row, the newest first."""
    names: dict[str, set[str]] = defaultdict(set)
    put_back = []
    for change in changes:
        row = rows.get(change.key)
        if row is not None and _is_as_left(row, change.after):
            assign(row, change.before or {})
            names[change.key] |= set(change.before or {})
            put_back.append(change.key)
    alike: dict[tuple[str, ...], list[Model]] = defaultdict(list)
    for key, columns in names.items():
        alike[tuple(sorted(columns))].append(rows[key])
    for columns_, same in alike.items():
        update(model, same, columns_)
    return put_back
