"""Changes to rows that are collected, then written many at once together with the journal that takes them back."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.db.models import Model
from django.db.models.deletion import Collector

from diagnosis.models import RepairChange, RepairRun

REPAIR_BATCH_SIZE = 500

ColumnValues = dict[str, Any]  # column name -> value as JSON holds it


def get_column_values(row: Model, names: Iterable[str] | None = None) -> ColumnValues:
    """The columns of a row, or some of them, as the journal keeps them: times to the microsecond."""
    fields = {field.attname: field for field in row._meta.concrete_fields}
    return {name: _to_json(getattr(row, name)) for name in (fields if names is None else names)}


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def set_column_values(row: Model, columns: ColumnValues) -> None:
    """Give a row the values that the journal kept; a column that a release has dropped since is left out."""
    fields = {field.attname: field for field in row._meta.concrete_fields}
    for name, value in columns.items():
        if name not in fields:
            continue
        # A foreign key's own to_python is that of the column it points to.
        setattr(row, name, None if value is None else fields[name].to_python(value))


def get_model_label(model: type[Model]) -> str:
    """How the journal names a table."""
    return model._meta.label_lower


def get_model_by_label(name: str) -> type[Model]:
    """The table of that name."""
    return cast("type[Model]", apps.get_model(name))


class ChangeSet:
    """What a repair is about to do to some rows. Nothing is written before `write`."""

    def __init__(self) -> None:
        self._created: list[Model] = []
        self._deleted: dict[type[Model], list[Model]] = defaultdict(list)
        self._changed: dict[tuple[str, Any], tuple[Model, ColumnValues]] = {}

    def set(self, row: Model, **columns: Any) -> bool:
        """Change columns of a row in memory, remembering what they were; returns whether any is another value now."""
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
        """A new row. Its parents come first, when they are new as well."""
        self._created.append(row)

    def delete(self, row: Model) -> None:
        """A row, and all that hangs on it and would go with it. What it points to goes after it, when it goes too."""
        self._deleted[type(row)].append(row)

    def write(self, run: RepairRun, defect: str) -> None:
        """Write everything, and the journal of it. Inside a transaction that has locked the rows."""
        journal_entries = [*self._write_new(), *self._write_changed(), *self._write_deleted()]
        RepairChange.objects.bulk_create(
            (RepairChange(run=run, defect=defect, **entry) for entry in journal_entries), batch_size=REPAIR_BATCH_SIZE
        )

    def _write_new(self) -> Iterator[ColumnValues]:
        for model, rows in itertools.groupby(self._created, type):
            for row in insert_rows(model, list(rows)):
                yield {"model": get_model_label(model), "key": row.pk, "before": None, "after": get_column_values(row)}

    def _write_changed(self) -> Iterator[ColumnValues]:
        rows_by_columns: dict[tuple[type[Model], tuple[str, ...]], list[Model]] = defaultdict(list)
        for row, before in self._changed.values():
            rows_by_columns[type(row), tuple(sorted(before))].append(row)
        for (model, names), rows in rows_by_columns.items():
            update_rows(model, rows, names)
        for row, before in self._changed.values():
            after = get_column_values(row, before)
            yield {"model": get_model_label(type(row)), "key": row.pk, "before": before, "after": after}

    def _write_deleted(self) -> Iterator[ColumnValues]:
        for roots in self._deleted.values():
            for model, rows in collect_cascade(roots):
                for row in rows:
                    yield {
                        "model": get_model_label(model),
                        "key": row.pk,
                        "before": get_column_values(row),
                        "after": None,
                    }
                delete_rows(model, [row.pk for row in rows])


def insert_rows(model: type[Model], rows: Sequence[Model]) -> Sequence[Model]:
    """Insert rows as they are."""
    return model._default_manager.bulk_create(rows, batch_size=REPAIR_BATCH_SIZE)


def update_rows(model: type[Model], rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write some columns of rows. Rows that get the same values, as most of a batch do, go in one statement."""
    rows_by_values: dict[str, list[Model]] = defaultdict(list)
    for row in rows:
        rows_by_values[repr([getattr(row, name) for name in names])].append(row)
    if len(rows_by_values) * 4 < len(rows):
        for equal_rows in rows_by_values.values():
            values = {name: getattr(equal_rows[0], name) for name in names}
            model._default_manager.filter(pk__in=[row.pk for row in equal_rows]).update(**values)
    else:
        model._default_manager.bulk_update(rows, names, batch_size=REPAIR_BATCH_SIZE)


def delete_rows(model: type[Model], keys: Sequence[Any]) -> None:
    """Delete rows."""
    model._default_manager.filter(pk__in=keys).delete()


class _FetchingCollector(Collector):
    """Django's own, that fetches also what it could delete unseen: the journal keeps it."""

    def can_fast_delete(self, *args: Any, **kwargs: Any) -> bool:
        """Never."""
        return False


def collect_cascade(rows: Sequence[Model]) -> list[tuple[type[Model], list[Model]]]:
    """These rows and those that hang on them, children first: the journal read backwards can put them back."""
    collector = _FetchingCollector(using="default")
    collector.collect(rows)
    collector.sort()
    # The collector has their keys only, and would fetch every other column of every row by itself.
    return [(model, _fetch_rows(model, [row.pk for row in found])) for model, found in collector.data.items()]


def _fetch_rows(model: type[Model], keys: Sequence[Any]) -> list[Model]:
    return list(model._default_manager.filter(pk__in=keys).order_by("pk"))
