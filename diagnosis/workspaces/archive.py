"""Everything of a workspace as a ZIP of JSON and CSV: settings, figures of all runs, and complete runs in parts."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import IO, Any

import orjson
from django.utils import timezone
from ninja.responses import NinjaJSONEncoder

from diagnosis.choices import FINAL_STATUSES
from diagnosis.models import (
    Action,
    Diagnosis,
    DiagnosisQuerySet,
    Member,
    NameCandidate,
    Panel,
    RunFigure,
    Schedule,
    SourceClass,
    TrackedQuestion,
    Workspace,
)
from diagnosis.reports.cache import serialize_json
from diagnosis.reports.export.content import ExportContent
from diagnosis.reports.export.csv_file import format_csv_cell
from diagnosis.reports.export.json_file import write_json
from diagnosis.reports.serializers import serialize_report
from diagnosis.workspaces.names import load_names, names_to_json

RUNS_PER_PART = 100
FIGURE_CHUNK_SIZE = 2000

_FIGURE_COLUMNS = ("name", "is_own", "surface", "platform", "k", "n", "first", "judged", "recommended", "share")


def count_parts(workspace: Workspace) -> int:
    """Return how many parts hold the complete runs; at least 1."""
    return max(1, -(-_select_runs(workspace).count() // RUNS_PER_PART))


def _select_runs(workspace: Workspace) -> DiagnosisQuerySet:
    return Diagnosis.objects.filter(workspace=workspace, status__in=FINAL_STATUSES).order_by("-created_at", "-pk")


def write_archive(file: IO[bytes], workspace: Workspace, part: int) -> None:
    """Write a part, from 1 (the newest runs); the file stays open. Every part has the settings and all figures."""
    start = (part - 1) * RUNS_PER_PART
    runs = list(_select_runs(workspace)[start : start + RUNS_PER_PART].values_list("pk", flat=True))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("workspace.json", _serialize(_build_settings(workspace, part)))
        with archive.open("figures.csv", "w") as entry:
            _write_figures(entry, workspace)
        for pk in runs:
            diagnosis = Diagnosis.objects.get(pk=pk)
            report = orjson.loads(serialize_json(serialize_report(diagnosis)))
            content = ExportContent(report, timezone.now().astimezone(UTC).replace(microsecond=0))
            with archive.open(f"runs/{diagnosis.created_at:%Y%m%d}-{pk}.json", "w") as entry:
                write_json(entry, content)


def _serialize(value: Any) -> bytes:
    return orjson.dumps(value, default=NinjaJSONEncoder().default, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _build_settings(workspace: Workspace, part: int) -> dict[str, Any]:
    members = Member.objects.filter(workspace=workspace).select_related("user")
    questions = TrackedQuestion.objects.filter(workspace=workspace).prefetch_related("tags")
    return {
        "workspace": _pick(workspace, "id", "name", "is_demo", "names_version", "created_at"),
        "part": part,
        "parts": count_parts(workspace),
        "names": names_to_json(load_names(workspace)),
        "members": [
            {"name": member.user.get_full_name() or member.user.get_username(), "role": member.role}
            for member in members
        ],
        "questions": [
            _pick(question, "id", "text", "origin", "archived_at", "created_at")
            | {"tags": [tag.name for tag in question.tags.all()]}
            for question in questions
        ],
        "panels": [_serialize_panel(panel) for panel in Panel.objects.filter(workspace=workspace)],
        "schedules": [
            _pick(row, "id", "brand", "every", "weekday", "day", "time", "is_paused", "budget_calls", "budget_money")
            for row in Schedule.objects.filter(workspace=workspace)
        ],
        "candidates": [
            _pick(row, "name", "state", "is_guess", "created_at")
            for row in NameCandidate.objects.filter(workspace=workspace)
        ],
        "actions": [
            _pick(row, "kind", "subject", "state", "evidence", "note", "created_at", "seen_at", "reopened_at")
            for row in Action.objects.filter(workspace=workspace)
        ],
        "site_kinds": [_pick(row, "host", "kind") for row in SourceClass.objects.filter(workspace=workspace)],
    }


def _pick(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _serialize_panel(panel: Panel) -> dict[str, Any]:
    versions = panel.versions.prefetch_related("places__question")
    return _pick(panel, "id", "name", "archived_at") | {
        "versions": [
            _pick(version, "number", "platforms", "repeats", "created_at")
            | {"questions": [place.question.text for place in version.places.all()]}
            for version in versions
        ]
    }


def _write_figures(file: IO[bytes], workspace: Workspace) -> None:
    text_file = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text_file, quoting=csv.QUOTE_ALL)
    writer.writerow(["run", "started_at", "status", *_FIGURE_COLUMNS])
    writer.writerows([format_csv_cell(cell) for cell in row] for row in _iter_figures(workspace))
    text_file.detach()


def _iter_figures(workspace: Workspace) -> Iterator[Sequence[Any]]:
    figures = RunFigure.objects.filter(diagnosis__workspace=workspace)
    ordered = figures.order_by("-diagnosis__created_at", "diagnosis_id", "position", "surface", "platform")
    columns = ("diagnosis_id", "diagnosis__created_at", "diagnosis__status", *_FIGURE_COLUMNS)
    for run, *cells in ordered.values_list(*columns).iterator(chunk_size=FIGURE_CHUNK_SIZE):
        yield str(run), *cells
