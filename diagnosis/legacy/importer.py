"""Import an export. Rows that cannot be read are kept unchanged with the reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from diagnosis.legacy.builder import DiagnosisRows, build_diagnosis_rows, save_diagnosis_rows
from diagnosis.legacy.parser import ParseStatistics, parse_diagnosis
from diagnosis.legacy.platforms import PlatformResolver
from diagnosis.legacy.reader import (
    LEGACY_PAGE_SIZE,
    MAX_RECORD_KEY_LENGTH,
    LegacyDiagnosis,
    LegacyExport,
    SourceRow,
)
from diagnosis.models import Diagnosis, LegacyRecord

REPEATED_KEY_PROBLEM = gettext_noop("键与前面的一行相同，它的回答归前面那行")

OwnerLookup = Callable[[set[str]], dict[str, int]]
"""Maps user names of the export, and "" for no user, to keys of accounts."""


@dataclass
class ImportResult:
    """Counts of what an import has read."""

    diagnoses: int = 0
    answers: int = 0
    orphans: int = 0
    already_imported: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    statistics: ParseStatistics = field(default_factory=ParseStatistics)


class LegacyImporter:
    """Reads one export; with `applies=False` it stores nothing."""

    def __init__(self, path: Path, export: LegacyExport, find_owners: OwnerLookup, *, applies: bool) -> None:
        self._export, self._find_owners, self._applies = export, find_owners, applies
        self._platforms = PlatformResolver(creates_missing=applies)
        self._fallback_time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        self.result = ImportResult()

    def run(self, on_progress: Callable[[int], None] = lambda diagnoses: None) -> ImportResult:
        """Read everything. Rows imported earlier are skipped, so an import can be interrupted and repeated."""
        for page in self._export.iter_pages():
            with transaction.atomic():
                self._import_page(page)
            on_progress(len(page))
        orphans = self._export.iter_orphans()
        while batch := list(islice(orphans, LEGACY_PAGE_SIZE)):
            records = [_build_record(source, LegacyRecord.State.ORPHAN, None, {}) for source in batch]
            for source, record in zip(batch, records, strict=True):
                record.problem = f"所属的诊断 {str(source['ref'])[:100]} 不存在"
            imported = _find_imported_rows(batch)
            new = [record for record in records if (record.table, record.key) not in imported]
            self.result.already_imported += len(records) - len(new)
            self.result.orphans += len(new)
            if self._applies:
                LegacyRecord.objects.bulk_create(new)
        return self.result

    def _import_page(self, page: list[LegacyDiagnosis]) -> None:
        imported = _find_imported_rows([legacy_diagnosis.source for legacy_diagnosis in page])
        new = [
            legacy_diagnosis
            for legacy_diagnosis in page
            if (_get_table_name(legacy_diagnosis.source), legacy_diagnosis.source.record_key) not in imported
        ]
        self.result.already_imported += len(page) - len(new)
        parsed = [
            (legacy_diagnosis, parse_diagnosis(legacy_diagnosis, self.result.statistics)) for legacy_diagnosis in new
        ]
        names = {parsed_diagnosis.owner for _legacy_diagnosis, parsed_diagnosis in parsed}
        owners = self._find_owners({"", *names}) if self._applies else {}
        built: list[DiagnosisRows] = []
        records: list[LegacyRecord] = []
        for legacy_diagnosis, parsed_diagnosis in parsed:
            source = legacy_diagnosis.source
            problem = REPEATED_KEY_PROBLEM if source.duplicates_another else parsed_diagnosis.problem
            if problem:
                self.result.unreadable[problem] += 1
                record = _build_record(source, LegacyRecord.State.UNREADABLE, None, {})
                # Its answers are stored nowhere else.
                record.raw = {"row": record.raw, "answers": [answer.raw for answer in legacy_diagnosis.answers]}
                record.problem = problem
                records.append(record)
                continue
            name = f"{_get_table_name(source)}:{source.key}"
            owner = owners.get(parsed_diagnosis.owner, 0)
            rows = build_diagnosis_rows(
                parsed_diagnosis, name, owner, self._platforms, fallback_time=self._fallback_time
            )
            built.append(rows)
            records.append(_build_record(source, LegacyRecord.State.IMPORTED, rows.diagnosis, parsed_diagnosis.facts))
            self.result.diagnoses += 1
            self.result.answers += len(legacy_diagnosis.answers)
        if self._applies:
            save_diagnosis_rows(built)
            LegacyRecord.objects.bulk_create(records)


def _find_imported_rows(sources: Sequence[SourceRow]) -> set[tuple[str, str]]:
    """Return (table, record key) of the rows that have a record."""
    keys = {source.record_key for source in sources}
    found = set(LegacyRecord.objects.filter(key__in=keys).values_list("table", "key"))
    # Earlier versions stored the beginning of a long key.
    long = {source.key[:MAX_RECORD_KEY_LENGTH]: source for source in sources if source.record_key != source.key}
    for record in LegacyRecord.objects.filter(key__in=long):
        for source in sources:
            is_same = source.key[:MAX_RECORD_KEY_LENGTH] == record.key and record.table == _get_table_name(source)
            if is_same and source.raw in (record.raw, record.raw.get("row")):
                found.add((record.table, source.record_key))
    return found


def _get_table_name(source: SourceRow) -> str:
    return source.table.name[:128]


def _build_record(
    source: SourceRow, state: LegacyRecord.State, diagnosis: Diagnosis | None, facts: dict[str, Any]
) -> LegacyRecord:
    return LegacyRecord(
        table=_get_table_name(source),
        key=source.record_key,
        state=state,
        raw=source.raw,
        facts=facts,
        diagnosis=diagnosis,
    )
