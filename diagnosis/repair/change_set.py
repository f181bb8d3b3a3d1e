"""Collect changes to rows, write them in bulk together with a journal, and apply journal entries."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.db.models import Model
from django.db.models.deletion import Collector

from diagnosis.models import Diagnosis, RepairChange, RepairRun, RunSummary

REPAIR_BATCH_SIZE = 500

ColumnValues = dict[str, Any]  # {column name: value as JSON}


def get_column_values(row: Model, names: Iterable[str] | None = None) -> ColumnValues:
    """Return all or some columns of a row as the journal stores them, times to the microsecond."""
    values: ColumnValues = {}
    for name in [field.attname for field in row._meta.concrete_fields] if names is None else names:
        value = getattr(row, name)
        if isinstance(value, datetime):
            value = value.isoformat()
        values[name] = str(value) if isinstance(value, UUID | Decimal) else value
    return values


def set_column_values(row: Model, columns: ColumnValues) -> None:
    """Set the columns of a row to values of the journal; ignore columns that no longer exist."""
    fields = {field.attname: field for field in row._meta.concrete_fields}
    for name, value in columns.items():
        if name not in fields:
            continue
        # to_python of a foreign key is that of the referenced column.
        setattr(row, name, None if value is None else fields[name].to_python(value))


def get_model_label(model: type[Model]) -> str:
    """Return the name of a table in the journal."""
    return model._meta.label_lower


def get_model_by_label(name: str) -> type[Model]:
    """Return the model of a table name in the journal."""
    return cast("type[Model]", apps.get_model(name))


class ChangeSet:
    """Changes of a repair to rows, written to the database by `write`."""

    def __init__(self) -> None:
        self._created: list[Model] = []
        self._deleted: dict[type[Model], list[Model]] = defaultdict(list)
        self._changed: dict[tuple[str, Any], tuple[Model, ColumnValues]] = {}

    def set(self, row: Model, **columns: Any) -> bool:
        """Change columns of a row in memory and remember the old values; return whether any value differs."""
        changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if not changes:
            return False
        if not row._state.adding:
            _row, before = self._changed.setdefault((get_model_label(type(row)), row.pk), (row, {}))
            for name, value in get_column_values(row, changes).items():
                before.setdefault(name, value)
        for name, value in changes.items():
            setattr(row, name, value)
        return True

    def create(self, row: Model) -> None:
        """Add a new row. Add new rows that it references first."""
        self._created.append(row)

    def delete(self, row: Model) -> None:
        """Delete a row with all rows that cascade from it. Delete a row that it references after it."""
        self._deleted[type(row)].append(row)

    def write(self, run: RepairRun, defect: str) -> None:
        """Write all changes and their journal. Call it in a transaction that holds locks on the rows."""
        journal: list[RepairChange] = []

        def add_entry(row: Model, before: ColumnValues | None, after: ColumnValues | None) -> None:
            label = get_model_label(type(row))
            journal.append(RepairChange(run=run, defect=defect, model=label, key=row.pk, before=before, after=after))

        for model, created in itertools.groupby(self._created, type):
            for row in insert_rows(model, list(created)):
                add_entry(row, None, get_column_values(row))
        update_columns(self._changed.values())
        delete_outdated_summaries(row for row, before in self._changed.values() if "report" in before)
        for row, before in self._changed.values():
            add_entry(row, before, get_column_values(row, before))
        for roots in self._deleted.values():
            for model, deleted in collect_cascade(roots):
                for row in deleted:
                    add_entry(row, get_column_values(row), None)
                delete_rows(model, [row.pk for row in deleted])
        RepairChange.objects.bulk_create(journal, batch_size=REPAIR_BATCH_SIZE)


def delete_outdated_summaries(rows: Iterable[Model]) -> None:
    """Delete the stored figures of diagnoses whose report has changed; the next fill stores new ones."""
    RunSummary.objects.filter(diagnosis__in=[row.pk for row in rows if isinstance(row, Diagnosis)]).delete()


def insert_rows(model: type[Model], rows: Sequence[Model]) -> Sequence[Model]:
    """Insert rows with their values and return them."""
    return model._default_manager.bulk_create(rows, batch_size=REPAIR_BATCH_SIZE)


def update_columns(rows: Iterable[tuple[Model, Iterable[str]]]) -> None:
    """Update the named columns of each row.

    Rows with the same values, usually most of a batch, share one statement.
    """
    rows_by_columns: dict[tuple[type[Model], tuple[str, ...]], list[Model]] = defaultdict(list)
    for row, names in rows:
        rows_by_columns[type(row), tuple(sorted(names))].append(row)
    for (model, columns), column_rows in rows_by_columns.items():
        rows_by_values: dict[str, list[Model]] = defaultdict(list)
        for row in column_rows:
            rows_by_values[repr([getattr(row, name) for name in columns])].append(row)
        if len(rows_by_values) * 4 >= len(column_rows):
            model._default_manager.bulk_update(column_rows, columns, batch_size=REPAIR_BATCH_SIZE)
            continue
        for equal_rows in rows_by_values.values():
            values = {name: getattr(equal_rows[0], name) for name in columns}
            model._default_manager.filter(pk__in=[row.pk for row in equal_rows]).update(**values)


def delete_rows(model: type[Model], keys: Sequence[Any]) -> None:
    model._default_manager.filter(pk__in=keys).delete()


class _FetchingCollector(Collector):
    """Django's collector, fetching also rows that could be deleted without: the journal needs them."""

    def can_fast_delete(self, *args: Any, **kwargs: Any) -> bool:
        return False


def collect_cascade(rows: Sequence[Model]) -> list[tuple[type[Model], list[Model]]]:
    """Return the rows with all that cascade from them, children first, so that undoing restores parents first."""
    collector = _FetchingCollector(using="default")
    collector.collect(rows)
    collector.sort()
    # The collected rows have only their keys; reading each deferred column would be a query of its own.
    return [
        (model, list(model._default_manager.filter(pk__in=[row.pk for row in collected]).order_by("pk")))
        for model, collected in collector.data.items()
    ]
