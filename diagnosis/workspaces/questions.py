"""The questions of a workspace: add, edit, tag and archive."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, F
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import find_named_brands
from diagnosis.models import PanelQuestion, RunSummary, Tag, TrackedQuestion, Workspace
from diagnosis.reports.builder import KIND_RECOGNITION, KIND_UNBRANDED
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.trends.panels import normalize_panel_text
from diagnosis.workspaces.defaults import build_name_key
from diagnosis.workspaces.names import load_names
from errors.exceptions import Conflict, InvalidInput, NotFound

MAX_QUESTIONS_PER_WORKSPACE = 500
MAX_TAGS = 50
MAX_RUNS_FOR_RATES = 20


def build_question_key(text: str) -> str:
    """Return what is equal for questions that differ in width, case and spaces only."""
    return hashlib.sha256(normalize_panel_text(text).encode()).hexdigest()


def find_question(workspace: Workspace, question_id: UUID) -> TrackedQuestion:
    """Return a question of the workspace. Raises NotFound."""
    question = TrackedQuestion.objects.filter(workspace=workspace, pk=question_id).first()
    if question is None:
        raise NotFound
    return question


def add_question(
    workspace: Workspace,
    text: str,
    tags: Sequence[str] = (),
    *,
    origin: TrackedQuestion.Origin = TrackedQuestion.Origin.MANUAL,
    replaces: TrackedQuestion | None = None,
) -> TrackedQuestion:
    """Add a question, or take an archived one back. Raises Conflict if it exists, or at the limit.

    replaces: the question that was edited, which is archived.
    """
    key = build_question_key(text)
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        question = TrackedQuestion.objects.filter(workspace=workspace, key=key).first()
        if question and question.archived_at is None:
            raise Conflict(fields={"text": _("已经有这个问题了。")})
        if replaces:
            replaces.archived_at = timezone.now()
            replaces.save(update_fields=["archived_at"])
        if count_active(workspace) >= MAX_QUESTIONS_PER_WORKSPACE:
            raise Conflict(fields={"text": _("最多 %(most)s 个问题。") % {"most": MAX_QUESTIONS_PER_WORKSPACE}})
        if question is None:
            question = TrackedQuestion(workspace=workspace, text=text, key=key, origin=origin)
        question.archived_at, question.replaces = None, replaces
        question.save()
        question.tags.set([*find_or_create_tags(workspace, tags), *(replaces.tags.all() if replaces else ())])
    return question


def count_active(workspace: Workspace) -> int:
    """Return the number of questions that are not archived."""
    return TrackedQuestion.objects.filter(workspace=workspace, archived_at=None).count()


def find_or_create_tags(workspace: Workspace, names: Iterable[str]) -> list[Tag]:
    """Return the tags with these names; missing ones are created. Raises InvalidInput beyond the limit."""
    by_key = {build_name_key(name): name.strip() for name in names if name.strip()}
    tags = {tag.key: tag for tag in Tag.objects.filter(workspace=workspace, key__in=by_key)}
    missing = [Tag(workspace=workspace, name=name, key=key) for key, name in by_key.items() if key not in tags]
    if missing and Tag.objects.filter(workspace=workspace).count() + len(missing) > MAX_TAGS:
        raise InvalidInput(fields={"tags": _("最多 %(most)s 个标签。") % {"most": MAX_TAGS}})
    try:
        with transaction.atomic():
            created = Tag.objects.bulk_create(missing)
    except IntegrityError as error:  # a concurrent request has created one of them
        raise Conflict(fields={"tags": _("标签刚被修改过，请重试。")}) from error
    return [*tags.values(), *created]


@dataclass(frozen=True)
class QuestionChange:
    """What to change; None leaves it as it is."""

    tags: Sequence[str] | None
    archived: bool | None


def build_etag(question: TrackedQuestion) -> str:
    """Return what differs after any change of the question."""
    state = [question.archived_at is None, sorted(tag.name for tag in question.tags.all())]
    return f'"{hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]}"'


def change_question(
    workspace: Workspace, question: TrackedQuestion, change: QuestionChange, *, etag: str | None = None
) -> TrackedQuestion:
    """Replace the tags, archive a question or take it back. Panels keep what they ask.

    etag: of the state that was edited. Raises Conflict if the question has changed since.
    """
    tags, archived = change.tags, change.archived
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        question.refresh_from_db()
        if etag is not None and etag != build_etag(question):
            raise Conflict(fields={"If-Match": _("问题刚被别人修改过，请刷新后再改。")})
        if archived is False and question.archived_at and count_active(workspace) >= MAX_QUESTIONS_PER_WORKSPACE:
            raise Conflict(fields={"archived": _("最多 %(most)s 个问题。") % {"most": MAX_QUESTIONS_PER_WORKSPACE}})
        if archived is not None:
            question.archived_at = (question.archived_at or timezone.now()) if archived else None
            question.save(update_fields=["archived_at"])
        if tags is not None:
            question.tags.set(find_or_create_tags(workspace, tags))
    return question


def list_questions(workspace: Workspace, *, archived: bool = False) -> list[dict[str, Any]]:
    """Return the questions with tags, kind, current panels, and the own brand's rate in the newest run."""
    rows = TrackedQuestion.objects.filter(workspace=workspace, archived_at__isnull=not archived)
    return serialize_questions(workspace, list(rows.prefetch_related("tags")))


def serialize_questions(workspace: Workspace, questions: Sequence[TrackedQuestion]) -> list[dict[str, Any]]:
    """Serialize questions with what depends on the names and the runs of the workspace."""
    brands = [brand.to_matcher() for brand in load_names(workspace)]
    panels = _find_panels(questions)
    rates = _find_latest_rates(workspace)
    return [
        {name: getattr(question, name) for name in ("id", "text", "origin", "archived_at", "created_at")}
        | {
            "replaces": question.replaces_id,
            "tags": [tag.name for tag in question.tags.all()],
            "kind": KIND_RECOGNITION if find_named_brands(question.text, brands) else KIND_UNBRANDED,
            "panels": panels[question.pk],
            "figure": rates.get(question.key),
            "etag": build_etag(question),
        }
        for question in questions
    ]


def _find_panels(questions: Sequence[TrackedQuestion]) -> dict[UUID, list[UUID]]:
    """Return the panels whose current version asks each question."""
    panels: dict[UUID, list[UUID]] = defaultdict(list)
    places = PanelQuestion.objects.filter(question__in=questions, version__panel__archived_at=None)
    newest = places.annotate(versions=Count("version__panel__versions")).filter(version__number=F("versions"))
    for question, panel in newest.values_list("question", "version__panel"):
        panels[question].append(panel)
    return panels


def _find_latest_rates(workspace: Workspace) -> dict[str, dict[str, Any]]:
    rates: dict[str, dict[str, Any]] = {}
    newest = RunSummary.objects.filter(diagnosis__workspace=workspace).order_by("-diagnosis__created_at")
    for pk, rows in newest.values_list("pk", "questions")[:MAX_RUNS_FOR_RATES]:
        for row in rows:
            low, high = compute_rate_interval(row["k"], row["n"])
            rate = {"k": row["k"], "n": row["n"], "rate": compute_rate(row["k"], row["n"]), "low": low, "high": high}
            rates.setdefault(build_question_key(row["text"]), rate | {"diagnosis": pk})
    return rates
