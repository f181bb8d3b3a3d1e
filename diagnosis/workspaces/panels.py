"""Panels: what is asked again and again. A change is a new version; what a run asked stays as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.clients import get_client_kind
from diagnosis.models import Panel, PanelQuestion, PanelVersion, Platform, Schedule, TrackedQuestion, Workspace
from diagnosis.workspaces.names import load_names
from errors.exceptions import Conflict, InvalidInput, NotFound

MAX_PANELS_PER_WORKSPACE = 20
MAX_QUESTIONS_PER_PANEL = 20
SCHEDULE_CONTENT_FIELDS = (
    *("brand", "aliases", "sites", "competitors", "questions", "platforms", "repeats", "is_demo"),
)


@dataclass(frozen=True)
class PanelContent:
    """What a version asks: questions in their order, platforms, and how often."""

    questions: Sequence[UUID]
    platforms: Sequence[str]
    repeats: int


def find_panel(workspace: Workspace, panel_id: UUID) -> Panel:
    """Return a panel of the workspace that is not archived. Raises NotFound."""
    panel = Panel.objects.filter(workspace=workspace, pk=panel_id, archived_at=None).first()
    if panel is None:
        raise NotFound
    return panel


def get_current_version(panel: Panel) -> PanelVersion:
    """Return the newest version."""
    return panel.versions.latest("number")


def create_panel(workspace: Workspace, name: str, content: PanelContent, user: AbstractBaseUser) -> Panel:
    """Create a panel with its first version. Raises Conflict at the limit, InvalidInput for unknown contents."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        if Panel.objects.filter(workspace=workspace, archived_at=None).count() >= MAX_PANELS_PER_WORKSPACE:
            raise Conflict(fields={"name": _("最多 %(most)s 个问题集。") % {"most": MAX_PANELS_PER_WORKSPACE}})
        panel = Panel.objects.create(workspace=workspace, name=name)
        _add_version(panel, content, user, number=1)
    return panel


def change_panel(panel: Panel, name: str, content: PanelContent, user: AbstractBaseUser, version: int) -> Panel:
    """Rename a panel and, if its content differs, add a version. Raises Conflict if `version` is not the newest."""
    with transaction.atomic():
        locked = Panel.objects.select_for_update().get(pk=panel.pk)
        current = get_current_version(locked)
        if current.number != version:
            raise Conflict(fields={"version": _("问题集刚被别人修改过，请刷新后再改。")})
        locked.name = name
        locked.save(update_fields=["name"])
        if _get_content(current) != PanelContent(list(content.questions), list(content.platforms), content.repeats):
            _add_version(locked, content, user, number=current.number + 1)
            update_schedules(locked.workspace)
    return locked


def archive_panel(panel: Panel) -> None:
    """Archive a panel and delete its schedules; its runs stay."""
    with transaction.atomic():
        Schedule.objects.filter(panel=panel).delete()
        Panel.objects.filter(pk=panel.pk).update(archived_at=timezone.now())


def fill_schedule(schedule: Schedule, panel: Panel) -> None:
    """Set what a schedule asks to the panel's current version and the workspace's names, without saving.

    Raises Conflict if the workspace has no own brand yet.
    """
    version, names = get_current_version(panel), load_names(panel.workspace)
    if not names:
        raise Conflict(fields={"brands": _("请先填写本品牌的名称。")})
    own, *rivals = names
    schedule.brand, schedule.aliases, schedule.sites = own.name, list(own.aliases), list(own.sites)
    schedule.competitors = [
        {"name": brand.name, "aliases": list(brand.aliases), "sites": list(brand.sites)} for brand in rivals
    ]
    schedule.questions, schedule.platforms = list_texts(version), list(version.platforms)
    schedule.repeats, schedule.is_demo = version.repeats, panel.workspace.is_demo


def update_schedules(workspace: Workspace) -> None:
    """Bring the schedules of panels up to date after a change of panels or names."""
    schedules = list(
        Schedule.objects.filter(workspace=workspace, panel__isnull=False).select_related("panel__workspace")
    )
    for schedule in schedules:
        assert schedule.panel
        fill_schedule(schedule, schedule.panel)
    Schedule.objects.bulk_update(schedules, SCHEDULE_CONTENT_FIELDS)


def _get_content(version: PanelVersion) -> PanelContent:
    questions = list(version.places.order_by("position").values_list("question", flat=True))
    return PanelContent(questions, list(version.platforms), version.repeats)


def _add_version(panel: Panel, content: PanelContent, user: AbstractBaseUser, *, number: int) -> None:
    found = TrackedQuestion.objects.filter(workspace=panel.workspace_id, archived_at=None).in_bulk(content.questions)
    offered = Platform.objects.offered_to(get_client_kind(user))
    platforms = offered.filter(pk__in=content.platforms, is_demo=panel.workspace.is_demo)
    known = set(platforms.values_list("pk", flat=True))
    errors = {
        f"questions.{index}": _("工作区里没有这个问题。")
        for index, pk in enumerate(content.questions)
        if pk not in found
    }
    errors |= {
        f"platforms.{index}": _("没有名为“%(name)s”的可用平台。") % {"name": pk}
        for index, pk in enumerate(content.platforms)
        if pk not in known
    }
    if errors:
        raise InvalidInput(fields=errors)
    version = PanelVersion.objects.create(
        panel=panel, number=number, platforms=list(content.platforms), repeats=content.repeats, created_by_id=user.pk
    )
    PanelQuestion.objects.bulk_create(
        PanelQuestion(version=version, question_id=pk, position=position)
        for position, pk in enumerate(content.questions)
    )


def list_texts(version: PanelVersion) -> list[str]:
    """Return the questions in their order."""
    return list(version.places.order_by("position").values_list("question__text", flat=True))


def list_panels(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the panels with their current versions, in three queries."""
    panels = Panel.objects.filter(workspace=workspace, archived_at=None)
    newest = PanelVersion.objects.filter(panel__in=panels).order_by("panel_id", "-number").distinct("panel_id")
    places = {version.panel_id: version for version in newest.prefetch_related("places__question")}
    return [_serialize_version(panel, places[panel.pk]) for panel in panels]


def serialize_panel(panel: Panel) -> dict[str, Any]:
    """Serialize a panel with its current version."""
    return _serialize_version(panel, get_current_version(panel))


def _serialize_version(panel: Panel, version: PanelVersion) -> dict[str, Any]:
    questions = [place.question for place in version.places.all()]
    return {
        "id": panel.pk,
        "name": panel.name,
        "version": version.number,
        "questions": [{"id": question.pk, "text": question.text} for question in questions],
        "platforms": version.platforms,
        "repeats": version.repeats,
        "created_at": version.created_at,
    }
