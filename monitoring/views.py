"""Is the process alive, and can it do its work?"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView

from monitoring.health import REQUIRED_CHECKS, HealthResult, check_health, get_overall_status
from monitoring.instrumentation.exporter import has_metrics_token, is_metrics_access_allowed


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all; asks nobody else."""
    return _build_response({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when this process has what it cannot serve without, else 503: for load balancers."""
    results = await check_health(REQUIRED_CHECKS)
    statuses = {finding.name: "ok" if finding.is_ok else "unavailable" for finding in results}
    return _build_response({"status": get_overall_status(results), **statuses})


async def healthz_full(request: HttpRequest) -> JsonResponse:
    """Every check; 200 while the site serves, degraded or not, else 503. Why it fails is told to operators only."""
    results = await check_health()
    has_token = has_metrics_token(request.headers.get("Authorization", ""))
    has_details = has_token or await _is_operator(request, results)
    checks = {finding.name: _serialize_result(finding, has_details=has_details) for finding in results}
    return _build_response({"status": get_overall_status(results), "checks": checks})


def _serialize_result(result: HealthResult, *, has_details: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "ok" if result.is_ok else "failed", "needed": result.name in REQUIRED_CHECKS}
    return body | {"ms": result.ms, "detail": result.detail} if has_details else body


async def _is_operator(request: HttpRequest, results: list[HealthResult]) -> bool:
    """Whether staff is signed in; without the database nobody is, and nobody waits for it."""
    if get_overall_status(results) == "unavailable":
        return False
    user = await request.auser()
    return bool(user.is_active and user.is_staff)


def _build_response(body: dict[str, Any]) -> JsonResponse:
    status = 503 if body["status"] == "unavailable" else 200
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for the bearer of METRICS_TOKEN; without a token, hidden in production."""
    if not is_metrics_access_allowed(request.headers.get("Authorization", "")):
        raise Http404
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
