"""The HTTP API of corrections: what the user knows better than the matching."""

from typing import Any

from django.http import HttpRequest
from ninja import Body, Router
from ninja import Status as Response

from diagnosis import presenters
from diagnosis.access import user_of, visible_diagnosis
from diagnosis.corrections import Hit, add_alias, add_competitor, judge_hit, remove_competitor, undo_correction
from diagnosis.schemas import AliasIn, BrandOut, CompetitorIn, CorrectionIn, CorrectionOut

router = Router(tags=["corrections"])


@router.get("/diagnoses/{diagnosis_id}/corrections", response=list[CorrectionOut], summary="The corrections")
def list_corrections(request: HttpRequest, diagnosis_id: str) -> list[dict[str, Any]]:
    """All that were made of a diagnosis, the oldest first."""
    corrections = visible_diagnosis(request, diagnosis_id).corrections.all()
    return [presenters.correction_json(correction) for correction in corrections]


@router.post("/diagnoses/{diagnosis_id}/corrections", response=CorrectionOut, summary="Correct")
def correct(request: HttpRequest, diagnosis_id: str, body: Body[CorrectionIn]) -> dict[str, Any]:
    """Confirm or reject a hit, or add an alias; the report follows at once. 409 while the diagnosis runs."""
    diagnosis, user = visible_diagnosis(request, diagnosis_id), user_of(request)
    if isinstance(body, AliasIn):
        return presenters.correction_json(add_alias(diagnosis, body.brand, body.alias, user))
    hit = Hit(body.answer, body.brand, body.start, body.end)
    return presenters.correction_json(judge_hit(diagnosis, hit, user, is_right=body.kind == "confirm"))


@router.delete("/diagnoses/{diagnosis_id}/corrections/{correction_id}", response={204: None}, summary="Take back")
def undo(request: HttpRequest, diagnosis_id: str, correction_id: int) -> Response[None]:
    """As if it had never been made."""
    undo_correction(visible_diagnosis(request, diagnosis_id), correction_id)
    return Response(204, None)


@router.post("/diagnoses/{diagnosis_id}/competitors", response=BrandOut, summary="Add a competitor")
def add(request: HttpRequest, diagnosis_id: str, body: Body[CompetitorIn]) -> dict[str, Any]:
    """Count one more brand in the stored answers; the report follows at once. 409 while the diagnosis runs."""
    return presenters.brand_json(add_competitor(visible_diagnosis(request, diagnosis_id), body.name))


@router.delete(
    "/diagnoses/{diagnosis_id}/competitors/{path:name}", response={204: None}, summary="Take a competitor away"
)
def remove(request: HttpRequest, diagnosis_id: str, name: str) -> Response[None]:
    """Only one that was added; those of the order stay."""
    remove_competitor(visible_diagnosis(request, diagnosis_id), name)
    return Response(204, None)
