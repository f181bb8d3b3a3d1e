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

from diagnosis.history.models import RepairChange, RepairRun

ROWS_AT_ONCE = 500

Columns = dict[str, Any]  # column name -> value as JSON holds it


def columns_of(row: Model, names: Iterable[str] | None = None) -> Columns:
    """The columns of a row, or some of them, as the journal keeps them: times to the microsecond."""
    fields = {field.attname: field for field in row._meta.concrete_fields}
    return {name: _to_json(getattr(row, name)) for name in (fields if names is None else names)}


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def assign(row: Model, columns: Columns) -> None:
    """Give a row the values that the journal kept; a column that a release has dropped since is left out."""
    fields = {field.attname: field for field in row._meta.concrete_fields}
    for name, value in columns.items():
        if name not in fields:
            continue
        # A foreign key's own to_python is that of the column it points to.
        setattr(row, name, None if value is None else fields[name].to_python(value))


def name_of(model: type[Model]) -> str:
    """How the journal names a table."""
    return model._meta.label_lower


def model_of(name: str) -> type[Model]:
    """The table of that name."""
    return cast("type[Model]", apps.get_model(name))


class Changes:
    """What a repair is about to do to some rows. Nothing is written before `write`."""

    def __init__(self) -> None:
        self._created: list[Model] = []
        self._deleted: dict[type[Model], list[Model]] = defaultdict(list)
        self._changed: dict[tuple[str, Any], tuple[Model, Columns]] = {}

    def set(self, row: Model, **columns: Any) -> bool:
        """Change columns of a row in memory, remembering what they were; returns whether any is another value now."""
        changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if not changes:
            return False
        if not row._state.adding:
            _row, before = self._changed.setdefault((name_of(type(row)), row.pk), (row, {}))
            for name, value in columns_of(row, changes).items():
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
        journal = [*self._write_new(), *self._write_changed(), *self._write_deleted()]
        RepairChange.objects.bulk_create(
            (RepairChange(run=run, defect=defect, **entry) for entry in journal), batch_size=ROWS_AT_ONCE
        )

    def _write_new(self) -> Iterator[Columns]:
        for model, rows in itertools.groupby(self._created, type):
            for row in insert(model, list(rows)):
                yield {"model": name_of(model), "key": row.pk, "before": None, "after": columns_of(row)}

    def _write_changed(self) -> Iterator[Columns]:
        alike: dict[tuple[type[Model], tuple[str, ...]], list[Model]] = defaultdict(list)
        for row, before in self._changed.values():
            alike[type(row), tuple(sorted(before))].append(row)
        for (model, names), rows in alike.items():
            update(model, rows, names)
        for row, before in self._changed.values():
            after = columns_of(row, before)
            yield {"model": name_of(type(row)), "key": row.pk, "before": before, "after": after}

    def _write_deleted(self) -> Iterator[Columns]:
        for roots in self._deleted.values():
            for model, rows in going_with(roots):
                for row in rows:
                    yield {"model": name_of(model), "key": row.pk, "before": columns_of(row), "after": None}
                remove(model, [row.pk for row in rows])


def insert(model: type[Model], rows: Sequence[Model]) -> Sequence[Model]:
    """Insert rows as they are."""
    return model._default_manager.bulk_create(rows, batch_size=ROWS_AT_ONCE)


def update(model: type[Model], rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write some columns of rows. Rows that get the same values, as most of a batch do, go in one statement."""
    alike: dict[str, list[Model]] = defaultdict(list)
    for row in rows:
        alike[repr([getattr(row, name) for name in names])].append(row)
    if len(alike) * 4 < len(rows):
        for same in alike.values():
            values = {name: getattr(same[0], name) for name in names}
            model._default_manager.filter(pk__in=[row.pk for row in same]).update(**values)
    else:
        model._default_manager.bulk_update(rows, names, batch_size=ROWS_AT_ONCE)


def remove(model: type[Model], keys: Sequence[Any]) -> None:
    """Delete rows."""
    model._default_manager.filter(pk__in=keys).delete()


class _Collector(Collector):
    """Django's own, that fetches also what it could delete unseen: the journal keeps it."""

    def can_fast_delete(self, *args: Any, **kwargs: Any) -> bool:
        """Never."""
        return False


def going_with(rows: Sequence[Model]) -> list[tuple[type[Model], list[Model]]]:
    """These rows and those that hang on them, children first: the journal read backwards can put them back."""
    collector = _Collector(using="default")
    collector.collect(rows)
    collector.sort()
    # The collector has their keys only, and would fetch every other column of every row by itself.
    return [(model, _whole(model, [row.pk for row in found])) for model, found in collector.data.items()]


def _whole(model: type[Model], keys: Sequence[Any]) -> list[Model]:
    return list(model._default_manager.filter(pk__in=keys).order_by("pk"))
