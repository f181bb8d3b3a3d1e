"""The runs of a workspace as a list."""

from collections.abc import Sequence
from typing import Any

from diagnosis.models import Diagnosis, RunSummary
from diagnosis.workspaces.overview import find_figure, serialize_figure, serialize_run
from diagnosis.workspaces.rollups import find_figures


def serialize_runs(diagnoses: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """Serialize runs with their stored figures, in two queries. Select `owner` and the panel with the diagnoses."""
    ids = [diagnosis.pk for diagnosis in diagnoses]
    summaries = RunSummary.objects.in_bulk(ids)
    figures = find_figures(ids)
    items = []
    for diagnosis in diagnoses:
        summary = summaries.get(diagnosis.pk)
        own = find_figure(figures[diagnosis.pk], summary.surface) if summary else None
        items.append(
            serialize_run(diagnosis)
            | {
                "finished_at": diagnosis.finished_at,
                "by": diagnosis.owner.get_full_name() or diagnosis.owner.get_username(),
                "brand": diagnosis.brand,
                "schedule": diagnosis.schedule_id,
                "panel": diagnosis.panel,
                "panel_name": version.panel.name if (version := diagnosis.panel_version) else "",
                "panel_version": version.number if version else None,
                "surface": summary.surface if summary else None,
                "figure": serialize_figure(own) if own else None,
                "change": next((row for row in summary.changes if row["is_own"]), None) if summary else None,
                "models": {row["name"]: row["models"] for row in summary.platforms} if summary else {},
            }
        )
    return items
