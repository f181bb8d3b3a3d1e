"""Put diagnoses and schedules of earlier releases and imports into workspaces, and store their figures.

Works in batches, each a transaction of its own, newest diagnoses first. What is done is not done again, so it can be
interrupted at any time. Names, answers and reports are not touched: no old figure changes.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from diagnosis.choices import FINAL_STATUSES, PlatformSurface
from diagnosis.models import Diagnosis, DiagnosisQuerySet, RunSummary, Schedule, Workspace
from diagnosis.workspaces.defaults import build_name_key, get_default_workspace
from diagnosis.workspaces.names import BrandNames, adopt_names, unite_names
from diagnosis.workspaces.run_end import handle_run_end

log = structlog.get_logger(__name__)

FILL_BATCH_SIZE = 200
NAMES_BATCH_SIZE = 20
MAX_UNITED_DIAGNOSES = 200

_COUNTED = Q(status__in=FINAL_STATUSES, valid__gt=0)


@dataclass
class FillResult:
    """The number of rows that were put into a workspace, of workspaces with names, and of figures stored."""

    diagnoses: int = 0
    schedules: int = 0
    names: int = 0
    summaries: int = 0


def count_unfilled() -> FillResult:
    """Return how many rows a fill would change, without the names of workspaces that do not exist yet."""
    return FillResult(
        Diagnosis.objects.filter(workspace=None).count(),
        Schedule.objects.filter(workspace=None).count(),
        Workspace.objects.filter(brands=None).count(),
        _find_without_summary().count() + Diagnosis.objects.filter(_COUNTED, workspace=None).count(),
    )


def fill_workspaces(
    on_progress: Callable[[FillResult], None] = lambda result: None, *, max_batches: int | None = None
) -> FillResult:
    """Fill until nothing is left, or at most so many batches of each kind."""
    result = FillResult()
    steps = (
        ("diagnoses", _assign_diagnoses),
        ("schedules", _assign_schedules),
        ("names", _unite_names),
        ("summaries", _store_summaries),
    )
    for name, run_batch in steps:
        batches = 0
        while (max_batches is None or batches < max_batches) and (count := run_batch()):
            setattr(result, name, getattr(result, name) + count)
            batches += 1
            on_progress(result)
    return result


def _assign_diagnoses() -> int:
    rows = Diagnosis.objects.filter(workspace=None).order_by("-created_at")
    with transaction.atomic():
        locked = rows.select_for_update(skip_locked=True, of=("self",))
        batch = list(locked.values_list("pk", "owner_id", "brand", "is_demo")[:FILL_BATCH_SIZE])
        ids_by_workspace: dict[UUID, list[UUID]] = defaultdict(list)
        found: dict[tuple[int, str, bool], Workspace] = {}
        for pk, owner_id, brand, is_demo in batch:
            key = owner_id, build_name_key(brand), is_demo
            if key not in found:
                found[key] = get_default_workspace(owner_id, brand, is_demo=is_demo)
            ids_by_workspace[found[key].pk].append(pk)
        for workspace_id, ids in ids_by_workspace.items():
            Diagnosis.objects.filter(pk__in=ids).update(workspace=workspace_id)
    return len(batch)


def _assign_schedules() -> int:
    with transaction.atomic():
        rows = Schedule.objects.filter(workspace=None).order_by("-created_at")
        batch = list(rows.select_for_update(skip_locked=True, of=("self",))[:FILL_BATCH_SIZE])
        for schedule in batch:
            schedule.workspace = get_default_workspace(schedule.owner_id, schedule.brand, is_demo=schedule.is_demo)
        Schedule.objects.bulk_update(batch, ["workspace"])
    return len(batch)


def _unite_names() -> int:
    """Give workspaces without names those of their diagnoses, the newest first. The diagnoses keep their own."""
    batch = list(Workspace.objects.filter(brands=None).order_by("pk")[:NAMES_BATCH_SIZE])
    for workspace in batch:
        newest = workspace.diagnoses.order_by("-created_at").prefetch_related("brands")[:MAX_UNITED_DIAGNOSES]
        names, clashes = unite_names(
            [
                BrandNames(brand.name, tuple(brand.aliases), tuple(brand.sites), brand.is_own)
                for brand in diagnosis.brands.all()
            ]
            for diagnosis in newest.defer("report")
        )
        if not any(brand.is_own for brand in names):
            names.insert(0, BrandNames(workspace.name, is_own=True))
        with transaction.atomic():
            adopt_names(workspace, names)
        if clashes:
            log.info("names_clash", workspace=str(workspace.pk), spellings=clashes)
    return len(batch)


def _find_without_summary() -> DiagnosisQuerySet:
    return Diagnosis.objects.filter(_COUNTED, workspace__isnull=False, summary=None)


def _store_summaries() -> int:
    batch = list(_find_without_summary().order_by("-created_at")[:FILL_BATCH_SIZE])
    for diagnosis in batch:
        if not handle_run_end(diagnosis, finds_actions=False):  # an empty summary, so that it is not tried for ever
            RunSummary.objects.get_or_create(diagnosis=diagnosis, defaults={"surface": PlatformSurface.MEMORY})
    return len(batch)
