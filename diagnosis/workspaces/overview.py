"""The overview of a workspace, read from stored figures: no answer and no report is read."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q

from diagnosis.choices import FINAL_STATUSES, UNFINISHED_STATUSES, DiagnosisStatus
from diagnosis.models import Diagnosis, RunFigure, RunSummary, Schedule, Workspace
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.trends.service import MAX_TREND_POINTS
from diagnosis.workspaces.actions import list_actions, serialize_actions
from diagnosis.workspaces.panel_keys import build_panel_filter
from diagnosis.workspaces.rollups import find_figures

MAX_PANELS = 20
MAX_TREND_RIVALS = 4
MAX_LISTED_SCHEDULES = 5
MAX_SHOWN_ACTIONS = 5

_PANEL_COUNTS = ("runs", "running", "recount_done", "recount_total")

Figures = Mapping[UUID, Sequence[RunFigure]]


def build_overview(workspace: Workspace, panel: str = "", surface: str | None = None) -> dict[str, Any]:
    """Return the overview in six queries.

    panel: the key of a panel, by default that of the latest run; surface: by default that of the latest headline.
    """
    panels = _list_panels(workspace)
    shown_panel = panel or next((row["key"] for row in panels if row["runs"]), "")
    summaries = _list_summaries(workspace, shown_panel)
    figures = find_figures([summary.pk for summary in summaries])
    latest = summaries[0] if summaries else None
    shown_surface = surface or (latest.surface if latest else None)
    previous = _find_previous(summaries)
    return {
        "panel": shown_panel,
        "panels": panels[:MAX_PANELS],
        "surface": shown_surface,
        "surfaces": list(dict.fromkeys(name for summary in summaries for name in summary.surfaces)),
        "running": sum(row["running"] for row in panels),
        "recount": {name: sum(row[f"recount_{name}"] for row in panels) for name in ("done", "total")},
        "headline": build_headline(latest, previous),
        "latest": serialize_run(latest.diagnosis) if latest else None,
        "tiles": _build_tiles(latest, previous, figures, shown_surface) if latest else [],
        "trend": _build_trend(summaries[::-1], figures, shown_surface),
        "platforms": _build_platforms(latest, previous, figures) if latest else [],
        "lost": latest.lost if latest else [],
        "actions": serialize_actions(
            list_actions(workspace)[:MAX_SHOWN_ACTIONS], {latest.diagnosis.panel: latest.pk} if latest else {}
        ),
        "schedules": _list_schedules(workspace),
    }


def _list_panels(workspace: Workspace) -> list[dict[str, Any]]:
    """Return all panels that were asked, the latest first."""
    ended = Q(status__in=FINAL_STATUSES, valid__gt=0)
    running = Q(status__in=UNFINISHED_STATUSES, is_imported=False)
    rows = Diagnosis.objects.filter(workspace=workspace).order_by()
    grouped = rows.values("panel", "panel_version__panel", "panel_version__panel__name")
    named = Q(status__in=FINAL_STATUSES, names_version__isnull=False)
    counted = grouped.annotate(
        runs=Count("pk", filter=ended),
        running=Count("pk", filter=running),
        recount_done=Count("pk", filter=named & Q(names_version=workspace.names_version)),
        recount_total=Count("pk", filter=named),
        last_run_at=Max("created_at"),
    )
    panels: dict[str, dict[str, Any]] = {}
    for row in map(dict[str, Any], counted.order_by("-last_run_at", "panel")):
        key = str(row["panel_version__panel"] or row["panel"])
        named_row = {"key": key, "name": row["panel_version__panel__name"] or "", "last_run_at": row["last_run_at"]}
        panel = panels.setdefault(key, named_row | dict.fromkeys(_PANEL_COUNTS, 0))
        for name in _PANEL_COUNTS:  # the versions of a panel are one
            panel[name] += row[name]
    return list(panels.values())


def _list_summaries(workspace: Workspace, panel: str) -> list[RunSummary]:
    """Return the summaries of the panel's runs, newest first, without those that a successful retry replaces."""
    retries = Diagnosis.objects.filter(retry_of=OuterRef("diagnosis"), status__in=FINAL_STATUSES, valid__gt=0)
    summaries = RunSummary.objects.filter(
        ~Exists(retries),
        build_panel_filter(panel, "diagnosis__"),
        diagnosis__workspace=workspace,
        diagnosis__valid__gt=0,
    )
    newest = summaries.select_related("diagnosis").defer("diagnosis__report").order_by("-diagnosis__created_at")
    return list(newest[:MAX_TREND_POINTS])


def _find_previous(summaries: Sequence[RunSummary]) -> RunSummary | None:
    """Return the run that the latest is compared with."""
    return next((row for row in summaries[1:] if row.pk == summaries[0].previous_id), None)


def build_headline(latest: RunSummary | None, previous: RunSummary | None) -> dict[str, Any]:
    """Return what changed since the previous run; digests say the same."""
    if latest is None:
        return {"kind": "empty", "surface": None, "since": None, "changes": [], "breaks": []}
    since = previous.diagnosis.created_at if previous else None
    comparison = describe_changes(latest.changes, latest.breaks)
    kind = {"kind": "first"} if latest.previous_id is None else {}
    return {"surface": latest.surface, "since": since, **comparison, **kind}


def describe_changes(changes: Sequence[dict[str, Any]], breaks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a comparison of two runs says, with the brands that changed."""
    significant = [change for change in changes if change["changed"] != "none"]
    is_compared = any(
        change["cells"] and not (change["counted_differently"] or change["measured_differently"]) for change in changes
    )
    kind = "changed" if significant else "unchanged" if is_compared else "not_comparable"
    return {"kind": kind, "changes": significant, "breaks": list(breaks)}


def serialize_run(diagnosis: Diagnosis) -> dict[str, Any]:
    """Serialize what every list of runs shows of a diagnosis."""
    columns = ("status", "created_at", "planned", "valid")
    is_partial = diagnosis.is_final and diagnosis.status != DiagnosisStatus.COMPLETED
    return {"id": diagnosis.pk, "is_partial": is_partial} | {name: getattr(diagnosis, name) for name in columns}


def serialize_figure(figure: RunFigure) -> dict[str, Any]:
    """Serialize a brand's mention rate with its interval."""
    return {"name": figure.name, "is_own": figure.is_own, **_build_rate(figure.k, figure.n)}


def _build_rate(k: int, n: int) -> dict[str, Any]:
    low, high = compute_rate_interval(k, n)
    return {"k": k, "n": n, "rate": compute_rate(k, n), "low": low, "high": high}


def find_figure(figures: Sequence[RunFigure], surface: str | None, platform: str = "") -> RunFigure | None:
    """Return the own brand's figure of a surface, of one platform or of all."""
    return next((row for row in figures if row.is_own and row.surface == surface and row.platform == platform), None)


def _build_tiles(
    latest: RunSummary, previous: RunSummary | None, figures: Figures, surface: str | None
) -> list[dict[str, Any]]:
    now = _get_tile_values(latest, figures, surface)
    before = _get_tile_values(previous, figures, surface) if previous else {}
    own_change = next((change for change in latest.changes if change["is_own"]), None)
    is_tested = own_change is not None and surface == latest.surface
    changed = own_change["changed"] if own_change and is_tested else None
    return [
        {
            "name": name,
            **values,
            "previous": before[name]["value"] if name in before else None,
            "changed": changed if name == "mention_rate" else None,
        }
        for name, values in now.items()
    ]


def _get_tile_values(summary: RunSummary, figures: Figures, surface: str | None) -> dict[str, dict[str, Any]]:
    rows = figures.get(summary.pk, ())
    own = find_figure(rows, surface)
    if own is None:
        return {}
    site = summary.own_site.get(surface) or {"cited": 0, "answers": 0}
    mentions = sum(row.k for row in rows if row.surface == surface and not row.platform)
    share = {"k": own.k, "n": mentions, "value": own.share, "low": own.share_low, "high": own.share_high}
    return {
        "mention_rate": _build_tile(own.k, own.n),
        "first_mention_rate": _build_tile(own.first, own.n),
        "share_of_voice": share,
        "recommendation_rate": _build_tile(own.recommended, own.judged),
        "own_site_rate": _build_tile(site["cited"], site["answers"]),
    }


def _build_tile(k: int, n: int) -> dict[str, Any]:
    """Return a share with its interval; without answers nothing was measured."""
    low, high = compute_rate_interval(k, n)
    return {"k": k if n else None, "n": n or None, "value": compute_rate(k, n), "low": low, "high": high}


def _build_trend(summaries: Sequence[RunSummary], figures: Figures, surface: str | None) -> list[dict[str, Any]]:
    """Return the runs, oldest first, with the own brand and the rivals that the latest run names most often."""
    if not summaries:
        return []
    overall = {pk: [row for row in rows if row.surface == surface and not row.platform] for pk, rows in figures.items()}
    rivals = sorted((row for row in overall[summaries[-1].pk] if not row.is_own), key=lambda row: -row.k)
    shown = {row.key for row in rivals[:MAX_TREND_RIVALS]}
    return [
        serialize_run(summary.diagnosis)
        | {
            "brands": [serialize_figure(row) for row in overall[summary.pk] if row.is_own or row.key in shown],
            "breaks": summary.breaks,
        }
        for summary in summaries
    ]


def _build_platforms(latest: RunSummary, previous: RunSummary | None, figures: Figures) -> list[dict[str, Any]]:
    rows = []
    for platform in latest.platforms:
        own = find_figure(figures[latest.pk], platform["surface"], platform["id"])
        before = find_figure(figures[previous.pk], platform["surface"], platform["id"]) if previous else None
        if own:
            rows.append(
                {name: platform[name] for name in ("id", "name", "surface", "models")}
                | _build_rate(own.k, own.n)
                | {"previous": compute_rate(before.k, before.n) if before else None}
            )
    return rows


def _list_schedules(workspace: Workspace) -> list[dict[str, Any]]:
    columns = ("next_at", "is_paused", "skipped_at", "skip_reason")
    schedules = Schedule.objects.filter(workspace=workspace).order_by("is_paused", "next_at")[:MAX_LISTED_SCHEDULES]
    return [
        {"id": schedule.pk, "zone": settings.TIME_ZONE} | {name: getattr(schedule, name) for name in columns}
        for schedule in schedules
    ]
