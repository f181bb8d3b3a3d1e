"""Import an export: every row that can be read becomes a row of ours, every other is kept as it is, with its reason."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from diagnosis.history.models import LegacyRecord
from diagnosis.legacy.building import MOST_ANSWERS, Built, build_diagnosis
from diagnosis.legacy.parsing import Notes, ParsedDiagnosis, parse_diagnosis
from diagnosis.legacy.platforms import Platforms
from diagnosis.legacy.reading import AT_ONCE, Export, LegacyDiagnosis, Source
from diagnosis.models import Answer, Brand, Diagnosis, Question
from progress.models import Stream

FindOwners = Callable[[set[str]], dict[str, int]]
"""{what the export calls a user: the key of our account}, with an account for "" as well."""


@dataclass
class Imported:
    """What an import has read, or would read."""

    diagnoses: int = 0
    answers: int = 0
    orphans: int = 0
    already: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    notes: Notes = field(default_factory=Notes)


class Importer:
    """Reads one export. applies: False reads everything and stores nothing."""

    def __init__(self, path: Path, export: Export, find_owners: FindOwners, *, applies: bool) -> None:
        self._export, self._find_owners, self._applies = export, find_owners, applies
        self._platforms = Platforms(adds=applies)
        self._otherwise_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        self.done = Imported()

    def run(self, on_progress: Callable[[int], None] = lambda diagnoses: None) -> Imported:
        """Read it all. What an earlier run has imported is left as it stands, so it can be interrupted and repeated."""
        for page in self._export.pages():
            with transaction.atomic():
                self._import(page)
            on_progress(len(page))
        self._import_orphans()
        return self.done

    def _import(self, page: list[LegacyDiagnosis]) -> None:
        new = [one for one in page if (_table(one.source), one.source.key) not in self._known(page)]
        self.done.already += len(page) - len(new)
        parsed = [(one, parse_diagnosis(one, self.done.notes)) for one in new]
        owners = self._find_owners({"", *(found.owner for _one, found in parsed)}) if self._applies else {}
        built: list[Built] = []
        records: list[LegacyRecord] = []
        for one, found in parsed:
            problem = _problem_of(found)
            if problem:
                self.done.unreadable[problem] += 1
                records.append(_unreadable(one, problem))
                continue
            name = f"{_table(one.source)}:{one.source.key}"
            owner = owners.get(found.owner, 0)
            rows = build_diagnosis(found, name, owner, self._platforms, otherwise_at=self._otherwise_at)
            built.append(rows)
            records.append(_record(one.source, LegacyRecord.State.IMPORTED, rows.diagnosis, _facts(found)))
            self.done.diagnoses += 1
            self.done.answers += len(one.answers)
        if self._applies:
            _store(built, records)

    def _known(self, page: Iterable[LegacyDiagnosis]) -> set[tuple[str, str]]:
        keys = [one.source.key for one in page]
        return set(LegacyRecord.objects.filter(key__in=keys).values_list("table", "key"))

    def _import_orphans(self) -> None:
        batch: list[LegacyRecord] = []
        for source in self._export.orphans():
            record = _record(source, LegacyRecord.State.ORPHAN, None, {})
            record.problem = f"names diagnosis {str(source['ref'])[:100]}, which is not there"
            batch.append(record)
            if len(batch) == AT_ONCE:
                self._store_orphans(batch)
                batch = []
        self._store_orphans(batch)

    def _store_orphans(self, batch: list[LegacyRecord]) -> None:
        keys = [record.key for record in batch]
        known = set(LegacyRecord.objects.filter(key__in=keys).values_list("table", "key"))
        new = [record for record in batch if (record.table, record.key) not in known]
        self.done.already += len(batch) - len(new)
        self.done.orphans += len(new)
        if self._applies:
            LegacyRecord.objects.bulk_create(new)


def _table(source: Source) -> str:
    return source.table.name[:128]


def _problem_of(found: ParsedDiagnosis) -> str:
    """Why nothing can be made of it; nothing when something can."""
    if not found.brand:
        return "it names no brand"
    ordered = len(found.questions) * len(found.platforms) * found.repeats
    return "it orders too many answers" if ordered + len(found.answers) > MOST_ANSWERS else ""


def _record(
    source: Source, state: LegacyRecord.State, diagnosis: Diagnosis | None, facts: dict[str, Any]
) -> LegacyRecord:
    return LegacyRecord(
        table=_table(source), key=source.key[:128], state=state, raw=source.raw, facts=facts, diagnosis=diagnosis
    )


def _unreadable(one: LegacyDiagnosis, problem: str) -> LegacyRecord:
    """With its answers, which nothing else keeps."""
    record = _record(one.source, LegacyRecord.State.UNREADABLE, None, {})
    record.raw = {"row": record.raw, "answers": [answer.raw for answer in one.answers]}
    record.problem = problem
    return record


def _facts(found: ParsedDiagnosis) -> dict[str, Any]:
    """What repairs look up: which times had no zone, and which competitors were ordered."""
    naive = [name for name, time in found.times.items() if time.is_naive]
    if any(answer.answered_at and answer.answered_at.is_naive for answer in found.answers):
        naive.append("answered_at")
    return {"naive": naive, "competitors": found.submitted, "progress": found.progress, "owner": found.owner}


def _store(built: list[Built], records: list[LegacyRecord]) -> None:
    Stream.objects.bulk_create(rows.diagnosis.stream for rows in built)
    Diagnosis.objects.bulk_create(rows.diagnosis for rows in built)
    Brand.objects.bulk_create(brand for rows in built for brand in rows.brands)
    Question.objects.bulk_create(question for rows in built for question in rows.questions)
    Answer.objects.bulk_create((answer for rows in built for answer in rows.answers), batch_size=1000)
    LegacyRecord.objects.bulk_create(records)
