"""Is the process alive, and can it do its work?"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView

from monitoring.exporter import is_metrics_bearer, may_read_metrics
from monitoring.health import NEEDED, Finding, check_health, status_of


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all; asks nobody else."""
    return _tell({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when this process has what it cannot serve without, else 503: for load balancers."""
    findings = await check_health(NEEDED)
    words = {finding.name: "ok" if finding.is_ok else "unavailable" for finding in findings}
    return _tell({"status": status_of(findings), **words})


async def healthz_full(request: HttpRequest) -> JsonResponse:
    """Every check; 200 while the site serves, degraded or not, else 503. Why it fails is told to operators only."""
    findings = await check_health()
    is_bearer = is_metrics_bearer(request.headers.get("Authorization", ""))
    is_told_why = is_bearer or await _is_operator(request, findings)
    checks = {finding.name: _words_of(finding, is_told_why=is_told_why) for finding in findings}
    return _tell({"status": status_of(findings), "checks": checks})


def _words_of(finding: Finding, *, is_told_why: bool) -> dict[str, Any]:
    words: dict[str, Any] = {"status": "ok" if finding.is_ok else "failed", "needed": finding.name in NEEDED}
    return words | {"ms": finding.ms, "detail": finding.detail} if is_told_why else words


async def _is_operator(request: HttpRequest, findings: list[Finding]) -> bool:
    """Whether staff is signed in; without the database nobody is, and nobody waits for it."""
    if status_of(findings) == "unavailable":
        return False
    user = await request.auser()
    return bool(user.is_active and user.is_staff)


def _tell(body: dict[str, Any]) -> JsonResponse:
    status = 503 if body["status"] == "unavailable" else 200
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for the bearer of METRICS_TOKEN; without a token, hidden in production."""
    if not may_read_metrics(request.headers.get("Authorization", "")):
        raise Http404
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
