"""HTTP API of a workspace's questions, tags and panels."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, HeaderEx, P, Router, Schema
from ninja import Status as Response
from pydantic import AfterValidator, StringConstraints

from diagnosis.api import serializers
from diagnosis.api.access import get_request_user, get_workspace
from diagnosis.api.diagnoses import IdempotencyKey, build_request_context
from diagnosis.api.schemas import AcceptedOut, PlatformId, QuestionText, validate_readable
from diagnosis.choices import WorkspaceRole
from diagnosis.clients import require_consent
from diagnosis.models import Tag
from diagnosis.moderation import check_typed_texts
from diagnosis.orders.panel_runs import run_panel
from diagnosis.workspaces.panels import (
    MAX_QUESTIONS_PER_PANEL,
    PanelContent,
    archive_panel,
    change_panel,
    create_panel,
    find_panel,
    list_panels,
    serialize_panel,
)
from diagnosis.workspaces.question_import import (
    MAX_IMPORT_CHARACTERS,
    ImportFormat,
    ImportLine,
    LineVerdict,
    import_lines,
    judge_lines,
    read_lines,
)
from diagnosis.workspaces.questions import (
    MAX_QUESTIONS_PER_WORKSPACE,
    MAX_TAGS,
    QuestionChange,
    add_question,
    change_question,
    find_question,
    list_questions,
    serialize_questions,
)
from errors.exceptions import NotFound

router = Router(tags=["workspace questions"])

TagText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(validate_readable)
]
Tags = Annotated[list[TagText], Field(max_length=10)]
PanelName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(validate_readable)
]

IfMatch = HeaderEx[str | None, P(alias="If-Match", max_length=80, description="the etag that was edited")]

_EDITOR = WorkspaceRole.EDITOR


class QuestionFigureOut(Schema):
    """The own brand in the newest run that asked the question."""

    diagnosis: uuid.UUID
    k: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


class TrackedQuestionOut(Schema):
    """A question. kind: "recognition" if it names a tracked brand. panels: those whose current version asks it.

    etag: of what can change, for If-Match.
    """

    id: uuid.UUID
    text: str
    origin: Literal["manual", "import", "template", "order", "judge"]
    kind: Literal["unbranded", "recognition"]
    tags: list[str]
    panels: list[uuid.UUID]
    replaces: uuid.UUID | None
    archived_at: datetime | None
    created_at: datetime
    figure: QuestionFigureOut | None
    etag: str


class TrackedQuestionList(Schema):
    """The questions, oldest first. most: the maximum number that are not archived."""

    items: list[TrackedQuestionOut]
    most: int


class TrackedQuestionIn(Schema):
    """A new question. replaces: the question of which it is an edited text, which is then archived."""

    text: QuestionText
    tags: Tags = Field(default_factory=list)
    origin: Literal["manual", "template", "order", "judge"] = "manual"
    replaces: uuid.UUID | None = None


class QuestionChangeIn(Schema):
    """What to change; null leaves it. The text cannot change: send a new question that `replaces` it."""

    tags: Tags | None = None
    archived: bool | None = None


class ImportIn(Schema):
    """Lines, or a CSV or XLSX file: a question and its tags, in the next columns or behind a tab.

    content: of "xlsx" in Base64; the first sheet is read. At most 128 KB and 2,000 lines, decompressed 4 MB.
    """

    content: str = Field(max_length=MAX_IMPORT_CHARACTERS)
    format: ImportFormat = ImportFormat.LINES


class ImportLineOut(Schema):
    """A line with what becomes of it. "new" and "known" (its tags are added) are stored, the others are refused.

    same_as: the earlier line of a repeated one.
    """

    number: int
    text: str
    tags: list[str]
    verdict: Literal["new", "known", "repeated", "too_long", "unreadable", "over_limit", "blank"]
    same_as: int | None


class ImportOut(Schema):
    """Every line, and how many are stored and refused."""

    stored: int
    refused: int
    lines: list[ImportLineOut]


class TagOut(Schema):
    """A tag. questions: how many have it."""

    name: str
    questions: int


class PanelQuestionOut(Schema):
    """A question of a panel."""

    id: uuid.UUID
    text: str


class PanelOut(Schema):
    """A panel with its current version. Its id selects its runs in overview and runs."""

    id: uuid.UUID
    name: str
    version: int
    questions: list[PanelQuestionOut]
    platforms: list[str]
    repeats: int
    created_at: datetime


class PanelIn(Schema):
    """The content of a panel."""

    name: PanelName
    questions: list[uuid.UUID] = Field(min_length=1, max_length=MAX_QUESTIONS_PER_PANEL)
    platforms: list[PlatformId] = Field(min_length=1, max_length=12)
    repeats: int = Field(default=1, ge=1, le=5)

    def to_content(self) -> PanelContent:
        """Return what a version asks, without repetitions."""
        return PanelContent(list(dict.fromkeys(self.questions)), list(dict.fromkeys(self.platforms)), self.repeats)


class PanelChangeIn(PanelIn):
    """The new content. version: the one that was edited."""

    version: int


@router.get(
    "/workspaces/{workspace_id}/questions",
    response=TrackedQuestionList,
    summary="List the questions",
    operation_id="list_workspace_questions",
)
def list_all(request: HttpRequest, workspace_id: uuid.UUID, archived: bool = False) -> dict[str, Any]:
    """Return the questions, or the archived ones, with tags, panels and the latest rate of the own brand."""
    items = list_questions(get_workspace(request, workspace_id), archived=archived)
    return {"items": items, "most": MAX_QUESTIONS_PER_WORKSPACE}


@router.post(
    "/workspaces/{workspace_id}/questions",
    response={201: TrackedQuestionOut},
    summary="Add a question",
    operation_id="add_workspace_question",
)
def create_question(request: HttpRequest, workspace_id: uuid.UUID, body: TrackedQuestionIn) -> Response[dict[str, Any]]:
    """Add a question, or an edited one with `replaces`. 409 if the workspace has it."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    replaces = find_question(workspace, body.replaces) if body.replaces else None
    check_typed_texts(get_request_user(request), {"text": body.text, "tags": "\n".join(body.tags)})
    question = add_question(workspace, body.text, body.tags, origin=body.origin, replaces=replaces)  # type: ignore[arg-type]
    return Response(201, serialize_questions(workspace, [question])[0])


@router.post(
    "/workspaces/{workspace_id}/questions/preview",
    response=ImportOut,
    summary="Preview an import",
    operation_id="preview_question_import",
)
def preview_import(request: HttpRequest, workspace_id: uuid.UUID, body: ImportIn) -> dict[str, Any]:
    """Return a verdict for every line. Nothing is stored."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    lines = read_lines(body.content, body.format)
    judge_lines(workspace, lines)
    return _serialize_import(lines)


@router.post(
    "/workspaces/{workspace_id}/questions/import",
    response=ImportOut,
    summary="Import questions",
    operation_id="import_questions",
)
def import_questions(request: HttpRequest, workspace_id: uuid.UUID, body: ImportIn) -> dict[str, Any]:
    """Store the new and known lines and return a verdict for every line."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    lines = read_lines(body.content, body.format)
    judge_lines(workspace, lines)
    stored = [line for line in lines if line.verdict in (LineVerdict.NEW, LineVerdict.KNOWN)]
    texts = {f"content.{line.number}": "\n".join([line.text, *line.tags]) for line in stored}
    check_typed_texts(get_request_user(request), texts)
    import_lines(workspace, lines)
    return _serialize_import(lines)


def _serialize_import(lines: list[ImportLine]) -> dict[str, Any]:
    stored = sum(line.verdict in ("new", "known") for line in lines)
    return {"stored": stored, "refused": len(lines) - stored, "lines": [asdict(line) for line in lines]}


@router.patch(
    "/workspaces/{workspace_id}/questions/{question_id}",
    response=TrackedQuestionOut,
    summary="Change a question",
    operation_id="change_workspace_question",
)
def edit_question(
    request: HttpRequest,
    workspace_id: uuid.UUID,
    question_id: uuid.UUID,
    body: QuestionChangeIn,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Replace the tags, archive a question, or take it back. 409 with If-Match if it was changed since."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    check_typed_texts(get_request_user(request), {"tags": "\n".join(body.tags or ())})
    question = find_question(workspace, question_id)
    change = QuestionChange(body.tags, body.archived)
    question = change_question(workspace, question, change, etag=if_match)
    return serialize_questions(workspace, [question])[0]


@router.get("/workspaces/{workspace_id}/tags", response=list[TagOut], summary="List the tags", operation_id="list_tags")
def list_tags(request: HttpRequest, workspace_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the tags with the number of their questions, at most 50."""
    tags = Tag.objects.filter(workspace=get_workspace(request, workspace_id)).prefetch_related("questions")
    counts = [(tag.name, sum(row.archived_at is None for row in tag.questions.all())) for tag in tags[:MAX_TAGS]]
    return [{"name": name, "questions": count} for name, count in counts]


@router.delete(
    "/workspaces/{workspace_id}/tags/{path:name}",
    response={204: None},
    summary="Delete a tag",
    operation_id="delete_tag",
)
def delete_tag(request: HttpRequest, workspace_id: uuid.UUID, name: str) -> Response[None]:
    """Delete a tag; its questions stay."""
    count, _by_model = Tag.objects.filter(workspace=get_workspace(request, workspace_id, _EDITOR), name=name).delete()
    if not count:
        raise NotFound
    return Response(204, None)


@router.get(
    "/workspaces/{workspace_id}/panels",
    response=list[PanelOut],
    summary="List the panels",
    operation_id="list_workspace_panels",
)
def list_all_panels(request: HttpRequest, workspace_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the panels with their current versions."""
    return list_panels(get_workspace(request, workspace_id))


@router.post(
    "/workspaces/{workspace_id}/panels",
    response={201: PanelOut},
    summary="Create a panel",
    operation_id="create_workspace_panel",
)
def add_panel(request: HttpRequest, workspace_id: uuid.UUID, body: PanelIn) -> Response[dict[str, Any]]:
    """Create a panel of the workspace's questions."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    check_typed_texts(get_request_user(request), {"name": body.name})
    panel = create_panel(workspace, body.name, body.to_content(), get_request_user(request))
    return Response(201, serialize_panel(panel))


@router.put(
    "/workspaces/{workspace_id}/panels/{panel_id}",
    response=PanelOut,
    summary="Change a panel",
    operation_id="change_workspace_panel",
)
def edit_panel(
    request: HttpRequest, workspace_id: uuid.UUID, panel_id: uuid.UUID, body: PanelChangeIn
) -> dict[str, Any]:
    """Rename a panel, or add a version with another content. 409 if `version` is no longer the newest."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    panel = find_panel(workspace, panel_id)
    check_typed_texts(get_request_user(request), {"name": body.name})
    changed = change_panel(panel, body.name, body.to_content(), get_request_user(request), body.version)
    return serialize_panel(changed)


@router.delete(
    "/workspaces/{workspace_id}/panels/{panel_id}",
    response={204: None},
    summary="Archive a panel",
    operation_id="archive_workspace_panel",
)
def delete_panel(request: HttpRequest, workspace_id: uuid.UUID, panel_id: uuid.UUID) -> Response[None]:
    """Archive a panel. Its runs stay."""
    archive_panel(find_panel(get_workspace(request, workspace_id, _EDITOR), panel_id))
    return Response(204, None)


@router.post(
    "/workspaces/{workspace_id}/panels/{panel_id}/runs",
    response={202: AcceptedOut, 200: AcceptedOut},
    summary="Run a panel",
    operation_id="run_workspace_panel",
)
def run(
    request: HttpRequest, workspace_id: uuid.UUID, panel_id: uuid.UUID, idempotency_key: IdempotencyKey = None
) -> Response[dict[str, Any]]:
    """Start a diagnosis of the panel's current version with the workspace's names; as `POST /api/diagnoses`."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    panel = find_panel(workspace, panel_id)
    require_consent(get_request_user(request))
    diagnosis, is_new = run_panel(panel, build_request_context(request, idempotency_key))
    return Response(202 if is_new else 200, serializers.serialize_accepted(diagnosis))
