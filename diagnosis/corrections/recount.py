"""Recount the runs of a workspace after its names have changed: newest first, one transaction a run.

Which runs are outdated is a column of each, so a recount that was interrupted continues where it stopped.
"""

import uuid
from functools import partial

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef

from diagnosis.analysis.columns import build_brand_spellings
from diagnosis.analysis.mentions import MATCHER_VERSION, find_differing_spellings, normalize_spelling
from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.corrections.recalculation import analyse_again
from diagnosis.models import Brand, Correction, Diagnosis, DiagnosisQuerySet, Workspace
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.reports.service import build_report_from_database
from diagnosis.running import queue
from diagnosis.trends.panels import compute_panel_key
from diagnosis.workspaces.names import BrandNames, load_names
from diagnosis.workspaces.rollups import refresh_summary
from performance.cache import invalidate_tags

log = structlog.get_logger(__name__)


def find_recountable(workspace: Workspace) -> DiagnosisQuerySet:
    """Return the ended runs that count by older names of the workspace."""
    return workspace.diagnoses.filter(names_version__lt=workspace.names_version, status__in=FINAL_STATUSES)


def count_progress(workspace: Workspace) -> dict[str, int]:
    """Return how many of the ended runs with the workspace's names count by their newest version."""
    ended = workspace.diagnoses.filter(names_version__isnull=False, status__in=FINAL_STATUSES)
    return {"done": ended.filter(names_version=workspace.names_version).count(), "total": ended.count()}


def recount_workspace(workspace_id: uuid.UUID) -> int:
    """Recount all outdated runs; returns how many."""
    recounted = 0
    while recount_next(workspace_id):
        recounted += 1
    log.info("workspace_recounted", workspace=str(workspace_id), runs=recounted)
    return recounted


def recount_next(workspace_id: uuid.UUID) -> bool:
    """Recount the newest outdated run in one transaction; returns whether there was one."""
    with transaction.atomic():
        workspace = Workspace.objects.filter(pk=workspace_id, deleted_at=None).first()
        if workspace is None:
            return False
        outdated = find_recountable(workspace).defer("report").order_by("-created_at")
        diagnosis = outdated.select_for_update(of=("self",)).first()
        if diagnosis is None:
            return False
        names = load_names(workspace)
        workspace.refresh_from_db(fields=["names_version"])
        recount_diagnosis(diagnosis, names, workspace.names_version)
    return True


def recount_diagnosis(diagnosis: Diagnosis, names: list[BrandNames], version: int) -> None:
    """Replace the names of an ended diagnosis and count again, in the caller's transaction that has locked it.

    Corrections survive: aliases and competitors that were added to this diagnosis stay, and decisions on mentions.
    """
    before = build_brand_spellings(diagnosis.brands.all())
    _replace_brands(diagnosis, names)
    differing = find_differing_spellings(before, build_brand_spellings(diagnosis.brands.all()))
    # All answers where an earlier matcher has read one, or where a correction is not in the report yet.
    read_earlier = diagnosis.answers.filter(state=AnswerState.VALID).exclude(matcher_version=MATCHER_VERSION)
    is_outdated = diagnosis.revision > diagnosis.report_revision or read_earlier.exists()
    analyse_again(diagnosis, [""] if is_outdated else differing)
    diagnosis.report = build_report_from_database(diagnosis)
    own = next((brand.name for brand in names if brand.is_own), diagnosis.brand)
    if own != diagnosis.brand:
        texts = diagnosis.questions.values_list("text", flat=True)
        platforms = diagnosis.answers.order_by().values_list("platform_id", flat=True).distinct()
        diagnosis.brand, diagnosis.panel = own, compute_panel_key(own, texts, platforms)
    diagnosis.names_version = version
    diagnosis.revision, diagnosis.report_revision = F("revision") + 1, F("revision") + 1
    diagnosis.save(update_fields=["report", "brand", "panel", "names_version", "revision", "report_revision"])
    diagnosis.refresh_from_db(fields=["revision", "report_revision"])
    refresh_summary(diagnosis)
    transaction.on_commit(partial(invalidate_tags, get_report_cache_tag(diagnosis.pk)))


def _replace_brands(diagnosis: Diagnosis, names: list[BrandNames]) -> None:
    taken = {normalize_spelling(text) for brand in names for text in brand.spellings}
    added = [
        brand for brand in diagnosis.brands.all() if brand.is_added and normalize_spelling(brand.name) not in taken
    ]
    aliases: dict[str, list[str]] = {}
    owners = {normalize_spelling(text): brand.name for brand in names for text in brand.spellings}
    for correction in diagnosis.corrections.filter(kind=Correction.Kind.ALIAS):
        owner = owners.get(normalize_spelling(correction.brand))
        if owner and normalize_spelling(correction.alias) not in taken:
            aliases.setdefault(owner, []).append(correction.alias)
    diagnosis.brands.exclude(pk__in=[brand.pk for brand in added]).delete()
    Brand.objects.bulk_create(
        Brand(
            diagnosis=diagnosis,
            name=brand.name,
            aliases=[*brand.aliases, *aliases.get(brand.name, ())],
            sites=list(brand.sites),
            is_own=brand.is_own,
            position=position,
        )
        for position, brand in enumerate(names)
    )


def requeue_recounts() -> int:
    """Enqueue the recounts whose job was lost; returns how many."""
    outdated = Diagnosis.objects.filter(
        workspace=OuterRef("pk"), names_version__lt=OuterRef("names_version"), status__in=FINAL_STATUSES
    )
    workspaces = Workspace.objects.filter(Exists(outdated), names_version__gt=1, deleted_at=None)
    requeued = 0
    for workspace_id in workspaces.values_list("pk", flat=True):
        if not queue.has_live_recount(workspace_id):
            queue.enqueue_recount(workspace_id)
            requeued += 1
    return requeued
