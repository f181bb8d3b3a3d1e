"""Import an export. Rows that cannot be read are kept unchanged with the reason."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from diagnosis.legacy.builder import MAX_IMPORTED_ANSWERS, DiagnosisRows, build_diagnosis_rows
from diagnosis.legacy.parser import ParsedDiagnosis, ParseStatistics, parse_diagnosis
from diagnosis.legacy.platforms import PlatformResolver
from diagnosis.legacy.reader import LEGACY_PAGE_SIZE, LegacyDiagnosis, LegacyExport, SourceRow
from diagnosis.models import Answer, Brand, Diagnosis, LegacyRecord, Question
from progress.models import Stream

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
        self._import_orphans()
        return self.result

    def _import_page(self, page: list[LegacyDiagnosis]) -> None:
        imported = _find_imported_keys(legacy_diagnosis.source.key for legacy_diagnosis in page)
        new = [
            legacy_diagnosis
            for legacy_diagnosis in page
            if (_get_table_name(legacy_diagnosis.source), legacy_diagnosis.source.key) not in imported
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
            problem = _find_problem(parsed_diagnosis)
            if problem:
                self.result.unreadable[problem] += 1
                record = _build_record(legacy_diagnosis.source, LegacyRecord.State.UNREADABLE, None, {})
                # Its answers are stored nowhere else.
                record.raw = {"row": record.raw, "answers": [answer.raw for answer in legacy_diagnosis.answers]}
                record.problem = problem
                records.append(record)
                continue
            name = f"{_get_table_name(legacy_diagnosis.source)}:{legacy_diagnosis.source.key}"
            owner = owners.get(parsed_diagnosis.owner, 0)
            rows = build_diagnosis_rows(
                parsed_diagnosis, name, owner, self._platforms, fallback_time=self._fallback_time
            )
            built.append(rows)
            records.append(
                _build_record(
                    legacy_diagnosis.source, LegacyRecord.State.IMPORTED, rows.diagnosis, _build_facts(parsed_diagnosis)
                )
            )
            self.result.diagnoses += 1
            self.result.answers += len(legacy_diagnosis.answers)
        if self._applies:
            _save_rows(built, records)

    def _import_orphans(self) -> None:
        batch: list[LegacyRecord] = []
        for source in self._export.iter_orphans():
            record = _build_record(source, LegacyRecord.State.ORPHAN, None, {})
            record.problem = f"its diagnosis {str(source['ref'])[:100]} does not exist"
            batch.append(record)
            if len(batch) == LEGACY_PAGE_SIZE:
                self._store_orphans(batch)
                batch = []
        self._store_orphans(batch)

    def _store_orphans(self, batch: list[LegacyRecord]) -> None:
        imported = _find_imported_keys(record.key for record in batch)
        new = [record for record in batch if (record.table, record.key) not in imported]
        self.result.already_imported += len(batch) - len(new)
        self.result.orphans += len(new)
        if self._applies:
            LegacyRecord.objects.bulk_create(new)


def _find_imported_keys(keys: Iterable[str]) -> set[tuple[str, str]]:
    """Return (table, key) of the records with one of these keys."""
    return set(LegacyRecord.objects.filter(key__in=list(keys)).values_list("table", "key"))


def _get_table_name(source: SourceRow) -> str:
    return source.table.name[:128]


def _find_problem(parsed: ParsedDiagnosis) -> str:
    """Return why the diagnosis cannot be imported, empty if it can."""
    if not parsed.brand:
        return "it names no brand"
    requested_answers = len(parsed.questions) * len(parsed.platforms) * parsed.repeats
    return "it requests too many answers" if requested_answers + len(parsed.answers) > MAX_IMPORTED_ANSWERS else ""


def _build_record(
    source: SourceRow, state: LegacyRecord.State, diagnosis: Diagnosis | None, facts: dict[str, Any]
) -> LegacyRecord:
    return LegacyRecord(
        table=_get_table_name(source),
        key=source.key[:128],
        state=state,
        raw=source.raw,
        facts=facts,
        diagnosis=diagnosis,
    )


def _build_facts(parsed: ParsedDiagnosis) -> dict[str, Any]:
    """Return the facts that repairs use, such as times without a zone and submitted competitors."""
    naive = [name for name, time in parsed.times.items() if time.is_naive]
    if any(answer.answered_at and answer.answered_at.is_naive for answer in parsed.answers):
        naive.append("answered_at")
    return {"naive": naive, "competitors": parsed.submitted, "progress": parsed.progress, "owner": parsed.owner}


def _save_rows(built: list[DiagnosisRows], records: list[LegacyRecord]) -> None:
    Stream.objects.bulk_create(rows.diagnosis.stream for rows in built)
    Diagnosis.objects.bulk_create(rows.diagnosis for rows in built)
    Brand.objects.bulk_create(brand for rows in built for brand in rows.brands)
    Question.objects.bulk_create(question for rows in built for question in rows.questions)
    Answer.objects.bulk_create((answer for rows in built for answer in rows.answers), batch_size=1000)
    LegacyRecord.objects.bulk_create(records)
