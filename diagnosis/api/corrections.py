"""HTTP API of corrections: confirm or reject mentions, add aliases and competitors."""

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Body, Router
from ninja import Status as Response

from diagnosis.api import serializers
from diagnosis.api.access import get_request_user, get_visible_diagnosis
from diagnosis.api.schemas import AliasIn, BrandOut, CompetitorIn, CorrectionIn, CorrectionOut
from diagnosis.choices import WorkspaceRole
from diagnosis.corrections.services import (
    MentionSpan,
    add_alias,
    add_competitor,
    confirm_or_reject_mention,
    remove_competitor,
    undo_correction,
)
from diagnosis.moderation import check_typed_texts

router = Router(tags=["corrections"])

_EDITOR = WorkspaceRole.EDITOR


@router.get(
    "/diagnoses/{diagnosis_id}/corrections",
    response=list[CorrectionOut],
    summary="List the corrections",
    operation_id="diagnosis_corrections_api_list_corrections",
)
def list_corrections(request: HttpRequest, diagnosis_id: str) -> list[dict[str, Any]]:
    """Return all corrections of a diagnosis, oldest first."""
    corrections = get_visible_diagnosis(request, diagnosis_id).corrections.all()
    return [serializers.serialize_correction(correction) for correction in corrections]


@router.post(
    "/diagnoses/{diagnosis_id}/corrections",
    response=CorrectionOut,
    summary="Add a correction",
    operation_id="diagnosis_corrections_api_correct",
)
def correct(request: HttpRequest, diagnosis_id: str, body: Body[CorrectionIn]) -> dict[str, Any]:
    """Confirm or reject a mention, or add an alias; the report follows (`report_pending`). 409 while it runs."""
    diagnosis, user = get_visible_diagnosis(request, diagnosis_id, _EDITOR), get_request_user(request)
    if isinstance(body, AliasIn):
        check_typed_texts(user, {"alias": body.alias})
        return serializers.serialize_correction(add_alias(diagnosis, body.brand, body.alias, user))
    span = MentionSpan(body.answer, body.brand, body.start, body.end)
    return serializers.serialize_correction(
        confirm_or_reject_mention(diagnosis, span, user, is_confirmed=body.kind == "confirm")
    )


@router.delete(
    "/diagnoses/{diagnosis_id}/corrections/{correction_id}",
    response={204: None},
    summary="Undo a correction",
    operation_id="diagnosis_corrections_api_undo",
)
def undo(request: HttpRequest, diagnosis_id: str, correction_id: uuid.UUID) -> Response[None]:
    """Undo a correction; the report follows (`report_pending`)."""
    undo_correction(get_visible_diagnosis(request, diagnosis_id, _EDITOR), correction_id)
    return Response(204, None)


@router.post(
    "/diagnoses/{diagnosis_id}/competitors",
    response=BrandOut,
    summary="Add a competitor",
    operation_id="diagnosis_corrections_api_add",
)
def add(request: HttpRequest, diagnosis_id: str, body: Body[CompetitorIn]) -> dict[str, Any]:
    """Look for another brand in the stored answers; the report follows (`report_pending`). 409 while it runs."""
    diagnosis = get_visible_diagnosis(request, diagnosis_id, _EDITOR)
    check_typed_texts(get_request_user(request), {"name": body.name})
    return serializers.serialize_brand(add_competitor(diagnosis, body.name))


@router.delete(
    "/diagnoses/{diagnosis_id}/competitors/{path:name}",
    response={204: None},
    summary="Remove a competitor",
    operation_id="diagnosis_corrections_api_remove",
)
def remove(request: HttpRequest, diagnosis_id: str, name: str) -> Response[None]:
    """Remove a competitor that was added after the diagnosis had ended; the original ones cannot be removed."""
    remove_competitor(get_visible_diagnosis(request, diagnosis_id, _EDITOR), name)
    return Response(204, None)
