"""The workspace of a diagnosis whose order names none: the owner's own one of the brand."""

import uuid

from diagnosis.choices import WorkspaceRole
from diagnosis.models import MAX_NAME_KEY_LENGTH, Member, Workspace
from diagnosis.trends.panels import normalize_panel_text


def build_name_key(name: str) -> str:
    """Return what is equal for all spellings of a name that differ in width, case and spaces only."""
    return normalize_panel_text(name)[:MAX_NAME_KEY_LENGTH]


def find_default_workspace_id(owner_id: int, brand: str, *, is_demo: bool) -> uuid.UUID | None:
    """Return the id of the owner's workspace of a brand, None before their first order of it."""
    found = Workspace.objects.filter(default_for_id=owner_id, key=build_name_key(brand), is_demo=is_demo)
    return found.values_list("pk", flat=True).first()


def get_default_workspace(owner_id: int, brand: str, *, is_demo: bool) -> Workspace:
    """Return the owner's workspace of a brand; create it with the owner as its only member."""
    workspace, is_new = Workspace.objects.get_or_create(
        default_for_id=owner_id, key=build_name_key(brand), is_demo=is_demo, defaults={"name": brand}
    )
    if is_new:
        Member.objects.create(workspace=workspace, user_id=owner_id, role=WorkspaceRole.OWNER)
    return workspace
