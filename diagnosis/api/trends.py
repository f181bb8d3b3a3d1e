"""HTTP API of trends and comparisons."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router

from diagnosis.api.access import get_request_user, get_visible_diagnosis
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.trends.schemas import ComparisonOut, SurfaceText, TrendOut
from diagnosis.trends.service import build_trend, compare_diagnoses
from errors.exceptions import InvalidInput

router = Router(tags=["trends"])


@router.get(
    "/diagnoses/{diagnosis_id}/trend",
    response=TrendOut,
    summary="Get the trend of the panel",
    operation_id="diagnosis_trends_api_get_trend",
)
def get_trend(request: HttpRequest, diagnosis_id: str, surface: SurfaceText | None = None) -> dict[str, Any]:
    """Return the ended diagnoses of the same brand, questions and platforms, and the changes between them.

    All rates are of one surface, by default that of the latest report's headline.
    """
    return build_trend(get_visible_diagnosis(request, diagnosis_id), get_request_user(request), surface)


@router.get(
    "/compare",
    response=ComparisonOut,
    summary="Compare two diagnoses",
    operation_id="diagnosis_trends_api_get_comparison",
)
def get_comparison(request: HttpRequest, a: str, b: str, surface: SurfaceText | None = None) -> dict[str, Any]:
    """Return the common part of two diagnoses, and its changes from `a` to `b`. 409 while either runs.

    All rates are of one surface, by default that of the headline of `b`.
    """
    before, after = get_visible_diagnosis(request, a), get_visible_diagnosis(request, b)
    if before.pk == after.pk:
        raise InvalidInput(fields={"b": _("请选择另一次诊断来比较。")})
    if not (before.is_final and after.is_final):
        raise DiagnosisRunning
    return compare_diagnoses(before, after, surface)
