"""The first run of a new workspace: brand, names, questions, panel and diagnosis in one transaction."""

from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.clients import get_client_kind
from diagnosis.models import Diagnosis
from diagnosis.moderation import check_typed_texts
from diagnosis.orders.services import (
    DiagnosisRequest,
    RequestContext,
    create_diagnosis,
    find_by_idempotency_key,
    get_requested_platforms,
    list_names,
)
from diagnosis.workspaces.names import load_names, store_names
from diagnosis.workspaces.names_edit import validate_names
from diagnosis.workspaces.panels import PanelContent, create_panel, get_current_version
from diagnosis.workspaces.questions import add_question
from diagnosis.workspaces.services import create_workspace


def start_workspace(request: DiagnosisRequest, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a workspace of the brand with a panel and its first run; returns what `create_diagnosis` does.

    Raises Conflict if the owner has a workspace of the brand, and what `create_diagnosis` raises.
    """
    existing = find_by_idempotency_key(context, request.fingerprint())
    if existing:
        return existing, False
    platforms = get_requested_platforms(request.platforms, get_client_kind(context.owner))
    check_typed_texts(context.owner, request.get_texts())
    with transaction.atomic():
        member = create_workspace(context.owner, request.brand.name, is_demo=platforms[0].is_demo)
        workspace = member.workspace
        own, *rivals = list_names(request)
        names = [replace(own, id=load_names(workspace)[0].id), *rivals]
        validate_names(workspace, names)
        store_names(workspace, names)
        questions = [add_question(workspace, text).pk for text in request.questions]
        content = PanelContent(questions, request.platforms, request.repeats)
        panel = create_panel(workspace, _("主要问题"), content, context.owner)
        version = get_current_version(panel)
        return create_diagnosis(
            request, replace(context, workspace=workspace.pk, panel_version=version.pk, is_typed=False)
        )
