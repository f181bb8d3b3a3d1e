"""Read diagnoses with their answers and reports from an SQLite export, a page at a time."""

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from diagnosis.exceptions import InvalidLegacyExport
from diagnosis.legacy.table_layout import COLUMN_ALIASES, LegacyTable, TableLayout, detect_layout, normalize_column_name
from errors.terminal import gettext as _

LEGACY_PAGE_SIZE = 200
MAX_RECORD_KEY_LENGTH = 128

LegacyRow = dict[str, Any]  # by the column names of the export


@dataclass(frozen=True)
class SourceRow:
    """A row of the export, accessed by our field names. is_repeated: an earlier row of the table has the same key."""

    table: LegacyTable
    row: LegacyRow
    is_repeated: bool = False

    def __getitem__(self, field_name: str) -> Any:
        column = self.table.column_by_field.get(field_name)
        return None if column is None else _to_json(self.row[column])

    @property
    def key(self) -> str:
        """Return its primary key as text, SQLite's rowid if it has none; with the rowid if the key is repeated."""
        key = _to_key(self["key"], self.row["rowid_"])
        return f"{key} [row {self.row['rowid_']}]" if self.is_repeated else key

    @property
    def record_key(self) -> str:
        """Return the key as it is stored: a long one ends in its hash."""
        if len(self.key) <= MAX_RECORD_KEY_LENGTH:
            return self.key
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:32]
        return f"{self.key[: MAX_RECORD_KEY_LENGTH - 33]}~{digest}"

    @property
    def duplicates_another(self) -> bool:
        """Return whether its own primary key, not only its rowid, is that of an earlier row."""
        return self.is_repeated and self["key"] is not None

    @property
    def raw(self) -> LegacyRow:
        """Return the row with values that JSON can represent."""
        return {name: _to_json(value) for name, value in self.row.items() if name != "rowid_"}


@dataclass
class LegacyDiagnosis:
    """A diagnosis of the export with the rows linked to it."""

    source: SourceRow
    answers: list[SourceRow] = field(default_factory=list)
    reports: list[SourceRow] = field(default_factory=list)


@dataclass(frozen=True)
class _Link:
    """How rows of a table refer to their diagnosis: column `ref` equals column `key` of the diagnosis."""

    table: LegacyTable
    ref: str
    key: str
    index: str


class LegacyExport:
    """An SQLite file, opened read-only."""

    def __init__(self, path: Path, role_overrides: dict[str, str] | None = None) -> None:
        """Open the file. Raises InvalidLegacyExport if it is not an SQLite file or has no diagnoses."""
        try:
            # Temporary tables, used as indexes, are stored outside the file.
            self._file = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            self._file.row_factory = sqlite3.Row
            self._file.text_factory = lambda data: data.decode("utf-8", "replace")
            self.layout: TableLayout = detect_layout(self._file, role_overrides)
        except sqlite3.Error as error:
            raise InvalidLegacyExport(f"{path}: {error}") from error
        if not self.layout.diagnoses:
            names = ", ".join(self.layout.skipped) or _("无")
            text = _("%(path)s：没有找到诊断的表（现有的表：%(names)s）")
            raise InvalidLegacyExport(text % {"path": path, "names": names})
        self._links: dict[str, list[_Link]] = {table.name: [] for table in self.layout.diagnoses}
        for table in [*self.layout.answers, *self.layout.reports]:
            self._add_link(table)
        self._file.create_function("record_key", 2, _to_key, deterministic=True)
        self._repeated = {table.name: self._find_repeated(table) for table in self.layout.diagnoses}
        self._repeated |= {table.name: self._find_repeated(table) for table in self.layout.answers}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def count(self) -> int:
        """Return the number of diagnoses."""
        return sum(self._count_rows(_quote_identifier(table.name)) for table in self.layout.diagnoses)

    def _count_rows(self, source: str) -> int:
        return int(self._file.execute(f"SELECT count(*) FROM {source}").fetchone()[0])

    def iter_pages(self) -> Iterator[list[LegacyDiagnosis]]:
        """Yield all diagnoses with their linked rows, `LEGACY_PAGE_SIZE` at a time."""
        for table in self.layout.diagnoses:
            rows = self._file.execute(f"SELECT rowid AS rowid_, * FROM {_quote_identifier(table.name)} ORDER BY rowid")
            while page := rows.fetchmany(LEGACY_PAGE_SIZE):
                yield self._attach_linked_rows(
                    table, [LegacyDiagnosis(self._to_source_row(table, row)) for row in page]
                )

    def iter_orphans(self) -> Iterator[SourceRow]:
        """Yield the answers without a diagnosis in the export."""
        for table in self.layout.answers:
            links = [link for table_links in self._links.values() for link in table_links if link.table is table]
            known = " UNION ALL ".join(f"SELECT row FROM temp.{link.index} WHERE is_known" for link in links)
            where = f"WHERE rowid NOT IN ({known})" if known else ""
            query = f"SELECT rowid AS rowid_, * FROM {_quote_identifier(table.name)} {where} ORDER BY rowid"
            for row in self._file.execute(query):
                yield self._to_source_row(table, row)

    def _to_source_row(self, table: LegacyTable, row: sqlite3.Row) -> SourceRow:
        return SourceRow(table, dict(row), row["rowid_"] in self._repeated[table.name])

    def _find_repeated(self, table: LegacyTable) -> set[int]:
        """Return the rowids of the rows whose key an earlier row has."""
        column = table.column_by_field.get("key")
        if column is None:
            return set()
        quoted = _quote_identifier(column)
        window = f"PARTITION BY record_key({quoted}, rowid) ORDER BY {quoted} IS NULL, rowid"
        rows = self._file.execute(
            f"SELECT rowid FROM (SELECT rowid, row_number() OVER ({window}) AS number "
            f"FROM {_quote_identifier(table.name)}) WHERE number > 1"
        )
        return {row[0] for row in rows}

    def _attach_linked_rows(self, table: LegacyTable, page: list[LegacyDiagnosis]) -> list[LegacyDiagnosis]:
        for link in self._links[table.name]:
            keys = [_to_text(diagnosis.source.row[link.key]) for diagnosis in page]
            linked_rows = self._file.execute(
                f"SELECT rowid AS rowid_, * FROM {_quote_identifier(link.table.name)} WHERE rowid IN "
                f"(SELECT row FROM temp.{link.index} WHERE ref IN ({', '.join('?' * len(keys))})) ORDER BY rowid",
                keys,
            )
            rows_by_key: dict[str, list[SourceRow]] = defaultdict(list)
            for row in linked_rows:
                rows_by_key[_to_text(row[link.ref])].append(SourceRow(link.table, dict(row)))
            for diagnosis in page:
                if diagnosis.source.duplicates_another:
                    continue  # the rows belong to the first row with this key
                rows = rows_by_key[_to_text(diagnosis.source.row[link.key])]
                (diagnosis.reports if link.table in self.layout.reports else diagnosis.answers).extend(rows)
        return page

    def _add_link(self, table: LegacyTable) -> None:
        """Link a table by the pair of columns with the most matching rows, and index it: exports may lack indexes."""
        candidates = [
            (
                self._count_rows(
                    f"{_quote_identifier(table.name)} WHERE {_cast_to_text(ref)} IN "
                    f"(SELECT {_cast_to_text(key)} FROM {_quote_identifier(diagnoses.name)})"
                ),
                ref,
                key,
                diagnoses,
            )
            for diagnoses in self.layout.diagnoses
            for ref in _find_columns(table, "ref")
            for key in _find_columns(diagnoses, "key")
        ]
        best = max(candidates, key=itemgetter(0), default=None)
        if best is None or best[0] == 0:
            return
        _matches, ref, key, diagnoses = best
        index = f"link_{sum(map(len, self._links.values()))}"
        self._file.execute(
            f"CREATE TEMP TABLE {index} AS SELECT {_cast_to_text(ref)} AS ref, rowid AS row, {_cast_to_text(ref)} IN "
            f"(SELECT {_cast_to_text(key)} FROM {_quote_identifier(diagnoses.name)}) AS is_known "
            f"FROM {_quote_identifier(table.name)}"
        )
        self._file.execute(f"CREATE INDEX temp.{index}_ref ON {index} (ref)")
        self._links[diagnoses.name].append(_Link(table, ref, key, index))


def _find_columns(table: LegacyTable, field_name: str) -> list[str]:
    return [column for column in table.columns if normalize_column_name(column) in COLUMN_ALIASES[field_name]]


def _quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cast_to_text(column: str) -> str:
    return f"CAST({_quote_identifier(column)} AS TEXT)"


def _to_key(value: Any, rowid: int) -> str:
    return str(rowid if value is None else _to_json(value))


def _to_text(value: Any) -> str:
    return "" if value is None else str(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\0", "")
    return value.replace("\0", "") if isinstance(value, str) else value
