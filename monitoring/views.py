"""Health checks for load balancers and operators, and the metrics for Prometheus."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView

from monitoring.health import REQUIRED_CHECKS, check_health, get_overall_status
from monitoring.instrumentation.exporter import has_metrics_token, is_metrics_access_allowed
from progress.hub.hub import get_hub


async def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 if the process responds; no dependency is checked."""
    return _build_response({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Return 200 if the required checks pass, else 503; for load balancers.

    `push` is included while notifications do not reach this process. Its clients then get events a few seconds late, so
    the status is `degraded` and still 200.
    """
    results = await check_health(REQUIRED_CHECKS)
    status = get_overall_status(results)
    statuses = {result.name: "ok" if result.is_ok else "unavailable" for result in results}
    if not get_hub().is_push_working:
        status = "degraded" if status == "ok" else status
        statuses["push"] = "unavailable"
    return _build_response({"status": status, **statuses})


async def healthz_full(request: HttpRequest) -> JsonResponse:
    """Return the result of every check: 200 if the site can serve, even degraded, else 503.

    Durations and details are included only for operators and holders of METRICS_TOKEN.
    """
    results = await check_health()
    status = get_overall_status(results)
    has_details = has_metrics_token(request.headers.get("Authorization", ""))
    if not has_details and status != "unavailable":  # without the database no session can be read
        user = await request.auser()
        has_details = bool(user.is_active and user.is_staff)
    checks: dict[str, dict[str, Any]] = {}
    for result in results:
        checks[result.name] = {
            "status": "ok" if result.is_ok else "failed",
            "needed": result.name in REQUIRED_CHECKS,
        }
        if has_details:
            checks[result.name] |= {"ms": result.ms, "detail": result.detail}
    return _build_response({"status": status, "checks": checks})


def _build_response(body: dict[str, Any]) -> JsonResponse:
    status = 503 if body["status"] == "unavailable" else 200
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics in Prometheus' text format.

    Requires METRICS_TOKEN; if it is not set, the route is hidden in production and open elsewhere.
    """
    if not is_metrics_access_allowed(request.headers.get("Authorization", "")):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    return response
