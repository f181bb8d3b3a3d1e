"""Rows out of an SQLite export: each diagnosis with its answers and its report, some hundred at a time."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from diagnosis.exceptions import UnreadableExport
from diagnosis.legacy.tables import ALIASES, Layout, Table, find_layout, plain_name

AT_ONCE = 200

Row = dict[str, Any]  # the table's own columns


@dataclass(frozen=True)
class Source:
    """One row of the export, by what its columns mean."""

    table: Table
    row: Row

    def __getitem__(self, ours: str) -> Any:
        column = self.table.meaning.get(ours)
        return None if column is None else _to_json(self.row[column])

    @property
    def key(self) -> str:
        """Its primary key, as text; SQLite's own where the table has none."""
        value = self["key"]
        return str(self.row["rowid_"] if value is None else value)

    @property
    def raw(self) -> Row:
        """The row as JSON can hold it."""
        return {name: _to_json(value) for name, value in self.row.items() if name != "rowid_"}


@dataclass
class LegacyDiagnosis:
    """A diagnosis of the export and what belongs to it."""

    source: Source
    answers: list[Source] = field(default_factory=list)
    reports: list[Source] = field(default_factory=list)


@dataclass(frozen=True)
class _Link:
    """How the rows of a table name their diagnosis: this column of theirs is that column of its."""

    table: Table
    ref: str
    key: str
    index: str


class Export:
    """An SQLite file, opened for reading only."""

    def __init__(self, path: Path, chosen: dict[str, str] | None = None) -> None:
        """Raises UnreadableExport when it is no SQLite file, or holds no diagnoses."""
        try:
            # Its temporary tables, which are our indexes, are outside the file.
            self._file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            self._file.row_factory = sqlite3.Row
            self._file.text_factory = lambda data: data.decode("utf-8", "replace")
            self.layout: Layout = find_layout(self._file, chosen)
        except sqlite3.Error as error:
            raise UnreadableExport(f"{path}: {error}") from error
        if not self.layout.diagnoses:
            names = ", ".join(self.layout.skipped) or "none"
            raise UnreadableExport(f"{path}: no table of diagnoses was found (tables: {names})")
        self._links: dict[str, list[_Link]] = {table.name: [] for table in self.layout.diagnoses}
        for table in [*self.layout.answers, *self.layout.reports]:
            self._link(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def count(self) -> int:
        """How many diagnoses there are to read."""
        return sum(
            int(self._file.execute(f"SELECT count(*) FROM {_quoted(table.name)}").fetchone()[0])
            for table in self.layout.diagnoses
        )

    def pages(self) -> Iterator[list[LegacyDiagnosis]]:
        """Every diagnosis with what belongs to it, AT_ONCE at a time."""
        for table in self.layout.diagnoses:
            rows = self._file.execute(f"SELECT rowid AS rowid_, * FROM {_quoted(table.name)} ORDER BY rowid")
            while page := rows.fetchmany(AT_ONCE):
                yield self._complete(table, [LegacyDiagnosis(Source(table, dict(row))) for row in page])

    def orphans(self) -> Iterator[Source]:
        """Every answer that names no diagnosis of the export."""
        for table in self.layout.answers:
            links = [link for of_table in self._links.values() for link in of_table if link.table is table]
            known = " UNION ALL ".join(f"SELECT row FROM temp.{link.index} WHERE is_known" for link in links)
            where = f"WHERE rowid NOT IN ({known})" if known else ""
            query = f"SELECT rowid AS rowid_, * FROM {_quoted(table.name)} {where} ORDER BY rowid"
            for row in self._file.execute(query):
                yield Source(table, dict(row))

    def _complete(self, table: Table, page: list[LegacyDiagnosis]) -> list[LegacyDiagnosis]:
        for link in self._links[table.name]:
            found = self._rows_of(link, [_text(one.source.row[link.key]) for one in page])
            for one in page:
                rows = found[_text(one.source.row[link.key])]
                (one.reports if link.table in self.layout.reports else one.answers).extend(rows)
        return page

    def _rows_of(self, link: _Link, keys: list[str]) -> dict[str, list[Source]]:
        places = ", ".join("?" * len(keys))
        rows = self._file.execute(
            f"SELECT rowid AS rowid_, * FROM {_quoted(link.table.name)} WHERE rowid IN "
            f"(SELECT row FROM temp.{link.index} WHERE ref IN ({places})) ORDER BY rowid",
            keys,
        )
        found: dict[str, list[Source]] = defaultdict(list)
        for row in rows:
            found[_text(row[link.ref])].append(Source(link.table, dict(row)))
        return found

    def _link(self, table: Table) -> None:
        """Take the pair of columns that most rows agree on; and index it, for the export may have no index."""
        best = max(self._pairs(table), key=lambda pair: pair[0], default=(0, "", "", None))
        matches, ref, key, diagnoses = best
        if not matches or diagnoses is None:
            return
        index = f"link_{sum(map(len, self._links.values()))}"
        self._file.execute(
            f"CREATE TEMP TABLE {index} AS SELECT {_as_text(ref)} AS ref, rowid AS row, {_as_text(ref)} IN "
            f"(SELECT {_as_text(key)} FROM {_quoted(diagnoses.name)}) AS is_known FROM {_quoted(table.name)}"
        )
        self._file.execute(f"CREATE INDEX temp.{index}_ref ON {index} (ref)")
        self._links[diagnoses.name].append(_Link(table, ref, key, index))

    def _pairs(self, table: Table) -> Iterator[tuple[int, str, str, Table | None]]:
        for diagnoses in self.layout.diagnoses:
            for ref in _columns_among(table, "ref"):
                for key in _columns_among(diagnoses, "key"):
                    counted = self._file.execute(
                        f"SELECT count(*) FROM {_quoted(table.name)} WHERE {_as_text(ref)} IN "
                        f"(SELECT {_as_text(key)} FROM {_quoted(diagnoses.name)})"
                    )
                    yield int(counted.fetchone()[0]), ref, key, diagnoses


def _columns_among(table: Table, ours: str) -> list[str]:
    return [column for column in table.columns if plain_name(column) in ALIASES[ours]]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_text(column: str) -> str:
    return f"CAST({_quoted(column)} AS TEXT)"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\0", "")
    return value.replace("\0", "") if isinstance(value, str) else value
