"""HTTP API of a workspace's brands and spellings, and of names found in answers."""

import uuid
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja import Status as Response

from diagnosis.api.access import get_request_user, get_workspace
from diagnosis.api.schemas import NameText, Sites
from diagnosis.choices import WorkspaceRole
from diagnosis.corrections.recount import count_progress
from diagnosis.models import NameCandidate, Workspace
from diagnosis.moderation import check_typed_texts
from diagnosis.workspaces.candidates import (
    accept_candidate,
    get_candidate,
    ignore_candidate,
    list_candidates,
    merge_candidate,
    restore_candidate,
)
from diagnosis.workspaces.names import MAX_RIVALS, MAX_SPELLINGS, BrandNames, load_names
from diagnosis.workspaces.names_edit import apply_names, load_newest_rates, preview_names, undo_names

router = Router(tags=["workspace names"])

_EDITOR = WorkspaceRole.EDITOR


class TrackedBrandIn(Schema):
    """A brand. id: of an existing one, empty for a new one."""

    id: uuid.UUID | None = None
    name: NameText
    aliases: list[NameText] = Field(default_factory=list, max_length=MAX_SPELLINGS)
    sites: Sites
    is_own: bool = False

    def to_names(self) -> BrandNames:
        """Return it without repeated spellings."""
        aliases = tuple(text for text in dict.fromkeys(self.aliases) if text != self.name)
        return BrandNames(self.name, aliases, tuple(self.sites), self.is_own, str(self.id or ""))


class NamesIn(Schema):
    """All brands of the workspace as they shall be. A merge moves the spellings of one brand to another."""

    brands: list[TrackedBrandIn] = Field(min_length=1, max_length=MAX_RIVALS + 1)


class NamesApplyIn(NamesIn):
    """names_version: the one that was edited. recount_old: also count runs again that have names of their own."""

    names_version: int
    recount_old: bool = False


class VersionIn(Schema):
    """The version of the names that the caller has seen."""

    names_version: int


class MergeIn(VersionIn):
    """The brand that gets the name as another spelling."""

    brand: uuid.UUID


class PreviewRateOut(Schema):
    """A mention rate in the newest run."""

    k: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


class TrackedBrandOut(Schema):
    """A tracked brand. figure: in the newest run, null if that did not count it."""

    id: uuid.UUID
    name: str
    aliases: list[str]
    sites: list[str]
    is_own: bool
    figure: PreviewRateOut | None


class RecountOut(Schema):
    """How many of the runs that count by the workspace's names count by their newest version."""

    done: int
    total: int


class NamesOut(Schema):
    """The brands, the own one first, with the progress of the recount."""

    names_version: int
    brands: list[TrackedBrandOut]
    recount: RecountOut


class PreviewBrandOut(Schema):
    """A brand before and after; null where it is not counted."""

    name: str
    before: PreviewRateOut | None
    after: PreviewRateOut | None


class NamesPreviewOut(Schema):
    """The newest run with the new names. runs: how many will be counted again, old_runs: only with `recount_old`."""

    diagnosis: uuid.UUID | None
    brands: list[PreviewBrandOut]
    runs: int
    old_runs: int


class CandidateExampleOut(Schema):
    """Where a name stands in an answer."""

    diagnosis: uuid.UUID
    answer: uuid.UUID
    text: str


class CandidateOut(Schema):
    """A name that answers mention. is_guess: found by the structure of answers only. brand: what it is part of."""

    id: uuid.UUID
    name: str
    is_guess: bool
    state: Literal["new", "accepted", "ignored", "merged"]
    answers: int
    runs: int
    questions: int
    platforms: list[str]
    brand: uuid.UUID | None
    example: CandidateExampleOut | None


@router.get(
    "/workspaces/{workspace_id}/brands",
    response=NamesOut,
    summary="List the brands",
    operation_id="list_tracked_brands",
)
def list_brands(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Return the tracked brands with their spellings and sites."""
    return _serialize_names(get_workspace(request, workspace_id))


def _serialize_names(workspace: Workspace) -> dict[str, Any]:
    rates = load_newest_rates(workspace)
    return {
        "names_version": workspace.names_version,
        "brands": [
            {name: getattr(brand, name) for name in ("id", "name", "aliases", "sites", "is_own")}
            | {"figure": rates.get(brand.name)}
            for brand in load_names(workspace)
        ],
        "recount": count_progress(workspace),
    }


@router.post(
    "/workspaces/{workspace_id}/names/preview",
    response=NamesPreviewOut,
    summary="Preview names",
    operation_id="preview_names",
)
def preview_change(request: HttpRequest, workspace_id: uuid.UUID, body: NamesIn) -> dict[str, Any]:
    """Return the rates of the newest run as they would be. Nothing is stored."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    return preview_names(workspace, [brand.to_names() for brand in body.brands])


@router.post(
    "/workspaces/{workspace_id}/names/apply", response=NamesOut, summary="Apply names", operation_id="apply_names"
)
def apply(request: HttpRequest, workspace_id: uuid.UUID, body: NamesApplyIn) -> dict[str, Any]:
    """Store the brands as the next version; a job counts the runs again. 409 if they were changed meanwhile."""
    names = [brand.to_names() for brand in body.brands]
    workspace = get_workspace(request, workspace_id, _EDITOR)
    texts = {f"brands.{index}": "\n".join([*brand.spellings, *brand.sites]) for index, brand in enumerate(names)}
    check_typed_texts(get_request_user(request), texts)
    return _serialize_names(apply_names(workspace, names, body.names_version, recount_old=body.recount_old))


@router.post(
    "/workspaces/{workspace_id}/names/undo", response=NamesOut, summary="Undo names", operation_id="undo_names"
)
def undo_change(request: HttpRequest, workspace_id: uuid.UUID, body: VersionIn) -> dict[str, Any]:
    """Restore the brands before the latest change, as a new version."""
    return _serialize_names(undo_names(get_workspace(request, workspace_id, _EDITOR), body.names_version))


@router.get(
    "/workspaces/{workspace_id}/candidates",
    response=list[CandidateOut],
    summary="List the names found in answers",
    operation_id="list_name_candidates",
)
def list_found(
    request: HttpRequest, workspace_id: uuid.UUID, state: Literal["new", "accepted", "ignored", "merged"] = "new"
) -> list[dict[str, Any]]:
    """Return the names in a state, at most 500; they count in no figure until they are accepted or merged."""
    return list_candidates(get_workspace(request, workspace_id), state)


@router.post(
    "/workspaces/{workspace_id}/candidates/{candidate_id}/accept",
    response=NamesOut,
    summary="Track a found name",
    operation_id="accept_name_candidate",
)
def accept_found(
    request: HttpRequest, workspace_id: uuid.UUID, candidate_id: uuid.UUID, body: VersionIn
) -> dict[str, Any]:
    """Track the name as a competitor."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    return _serialize_names(accept_candidate(workspace, get_candidate(workspace, candidate_id), body.names_version))


@router.post(
    "/workspaces/{workspace_id}/candidates/{candidate_id}/merge",
    response=NamesOut,
    summary="Merge a found name",
    operation_id="merge_name_candidate",
)
def merge(request: HttpRequest, workspace_id: uuid.UUID, candidate_id: uuid.UUID, body: MergeIn) -> dict[str, Any]:
    """Add the name to a brand as another spelling."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    candidate = get_candidate(workspace, candidate_id)
    return _serialize_names(merge_candidate(workspace, candidate, body.brand, body.names_version))


@router.post(
    "/workspaces/{workspace_id}/candidates/{candidate_id}/ignore",
    response={204: None},
    summary="Ignore a found name",
    operation_id="ignore_name_candidate",
)
def ignore(request: HttpRequest, workspace_id: uuid.UUID, candidate_id: uuid.UUID) -> Response[None]:
    """Leave the name out for good."""
    ignore_candidate(get_candidate(get_workspace(request, workspace_id, _EDITOR), candidate_id))
    return Response(204, None)


@router.post(
    "/workspaces/{workspace_id}/candidates/{candidate_id}/restore",
    response=NamesOut,
    summary="Undo a decision on a found name",
    operation_id="restore_name_candidate",
)
def restore(request: HttpRequest, workspace_id: uuid.UUID, candidate_id: uuid.UUID, body: VersionIn) -> dict[str, Any]:
    """Make the name new again; a tracked or merged one is no longer counted."""
    workspace = get_workspace(request, workspace_id, _EDITOR)
    candidate: NameCandidate = get_candidate(workspace, candidate_id)
    return _serialize_names(restore_candidate(workspace, candidate, body.names_version))
