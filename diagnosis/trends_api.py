"""The HTTP API of trends and comparisons."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router

from diagnosis.access import user_of, visible_diagnosis
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.trend_schemas import ComparisonOut, TrendOut
from diagnosis.trends import compare, trend_of
from errors.exceptions import InvalidInput

router = Router(tags=["trends"])


@router.get("/diagnoses/{diagnosis_id}/trend", response=TrendOut, summary="The trend of its panel")
def get_trend(request: HttpRequest, diagnosis_id: str) -> dict[str, Any]:
    """The ended diagnoses of the same brand, questions and platforms, and what changed from each to the next."""
    return trend_of(visible_diagnosis(request, diagnosis_id), user_of(request))


@router.get("/compare", response=ComparisonOut, summary="Two diagnoses side by side")
def get_comparison(request: HttpRequest, a: str, b: str) -> dict[str, Any]:
    """What both asked, and what changed on it from `a` to `b`; 409 while either runs."""
    one, two = visible_diagnosis(request, a), visible_diagnosis(request, b)
    if one.pk == two.pk:
        raise InvalidInput(fields={"b": _("请选择另一次诊断来比较。")})
    if not (one.is_final and two.is_final):
        raise DiagnosisRunning
    return compare(one, two)
