"""HTTP API of diagnoses: start, list, read, cancel, retry; platforms, statistics."""

import re
import uuid
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from ninja import HeaderEx, P, QueryEx, Router
from ninja import Status as Response
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from diagnosis.api import cache, serializers
from diagnosis.api.access import get_request_user, get_visible_diagnosis, get_workspace
from diagnosis.api.history import filter_history, get_history_page
from diagnosis.api.schemas import (
    AcceptedOut,
    AnswerPage,
    AnswerSummaryOut,
    DiagnosisDetailOut,
    DiagnosisOut,
    DiagnosisPage,
    OrderIn,
    PlatformOut,
    StatisticsOut,
)
from diagnosis.choices import WorkspaceRole
from diagnosis.clients import get_client_kind, require_consent
from diagnosis.models import Answer, Diagnosis
from diagnosis.orders import services
from diagnosis.orders.retries import create_retry
from diagnosis.reports.cache import aget_cached_report
from diagnosis.reports.schemas import ReportOut
from diagnosis.reports.service import ANSWER_ORDERING
from diagnosis.row_locks import brief_transaction
from errors.exceptions import NotFound
from errors.problems import get_current_locale

router = Router(tags=["diagnoses"])


def _require_iso_date(value: Any) -> Any:
    """Reject strings other than ISO 8601 dates: pydantic would read a number as seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise PydanticCustomError("date_from_datetime_parsing", "not a day")
    return value


IsoDate = Annotated[date, BeforeValidator(_require_iso_date)]

IdempotencyKey = HeaderEx[str | None, P(alias="Idempotency-Key", min_length=1, max_length=128, pattern="^[ -~]*$")]

_aget_visible_diagnosis = sync_to_async(get_visible_diagnosis)

ANSWERS_PER_PAGE = 100


def build_request_context(request: HttpRequest, idempotency_key: str | None = None) -> services.RequestContext:
    """Return the circumstances of a request to start a diagnosis."""
    return services.RequestContext(
        get_request_user(request),
        idempotency_key,
        request.META.get("REQUEST_ID", ""),
        get_current_locale(),
        is_typed=True,
    )


@router.get(
    "/platforms",
    response=list[PlatformOut],
    summary="List the platforms",
    operation_id="diagnosis_api_list_platforms",
)
async def list_platforms(request: HttpRequest) -> HttpResponse:
    """Return the platforms that the caller may select, with health, price and typical duration."""
    return HttpResponse(
        await cache.get_platforms_json(get_client_kind(get_request_user(request))), content_type="application/json"
    )


@router.post(
    "/diagnoses",
    response={202: AcceptedOut, 200: AcceptedOut},
    summary="Start a diagnosis",
    operation_id="diagnosis_api_start_diagnosis",
)
def start_diagnosis(
    request: HttpRequest,
    body: OrderIn,
    idempotency_key: IdempotencyKey = None,
) -> Response[dict[str, Any]]:
    """202 if a diagnosis was created; 200 with the first one if the same key was sent with the same body before."""
    require_consent(get_request_user(request))
    context = build_request_context(request, idempotency_key)
    if body.workspace:
        context = replace(context, workspace=get_workspace(request, body.workspace, WorkspaceRole.EDITOR).pk)
    diagnosis, is_new = services.create_diagnosis(body.to_request(), context)
    return Response(202 if is_new else 200, serializers.serialize_accepted(diagnosis))


@router.get(
    "/diagnoses",
    response=DiagnosisPage,
    summary="List the diagnoses, newest first",
    operation_id="diagnosis_api_list_diagnoses",
)
def list_diagnoses(
    request: HttpRequest,
    cursor: str = "",
    status: str = "",
    q: QueryEx[str, P(max_length=100)] = "",
    since: IsoDate | None = None,
    until: IsoDate | None = None,
    scheduled: bool = False,
) -> dict[str, Any]:
    """Return a page of the caller's diagnoses.

    Filters: status, part of the brand's name (`q`), first and last day of the start (`since`, `until`; both inclusive,
    in the site's time zone), and only those that a schedule started (`scheduled`).
    """
    visible = Diagnosis.objects.visible_to(get_request_user(request))
    queryset = filter_history(visible, status=status, search=q, since=since, until=until)
    if scheduled:
        queryset = queryset.filter(schedule__isnull=False)
    page, next_cursor = get_history_page(queryset, cursor)
    return {"items": serializers.serialize_diagnoses(page), "next": next_cursor}


@router.get(
    "/diagnoses/{diagnosis_id}",
    response=DiagnosisDetailOut,
    summary="Get a diagnosis",
    operation_id="diagnosis_api_get_diagnosis",
)
def get_diagnosis(request: HttpRequest, diagnosis_id: str) -> dict[str, Any]:
    """Return the current status and counts, with brands, questions and platforms."""
    return serializers.serialize_diagnosis_detail(get_visible_diagnosis(request, diagnosis_id))


@router.get(
    "/diagnoses/{diagnosis_id}/report",
    response=ReportOut,
    summary="Get the report",
    operation_id="diagnosis_api_get_report",
)
async def get_report(request: HttpRequest, diagnosis_id: str) -> HttpResponseBase | None:
    """Return the report with an ETag. 409 while the diagnosis runs."""
    try:
        check = partial(get_visible_diagnosis, request, diagnosis_id)
        report = await aget_cached_report(uuid.UUID(diagnosis_id), get_current_locale(), check)
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
    if report["workspace"] is not None or report["owner"] != get_request_user(request).pk:
        await _aget_visible_diagnosis(request, diagnosis_id)
    headers = {"ETag": report["etag"], "Cache-Control": "private, no-cache"}
    response = HttpResponse(report["body"], content_type="application/json", headers=headers)
    return get_conditional_response(request, etag=report["etag"], response=response)


@router.get(
    "/diagnoses/{diagnosis_id}/answers",
    response=AnswerPage,
    summary="List the answers",
    operation_id="diagnosis_api_list_answers",
)
def list_answers(
    request: HttpRequest,
    diagnosis_id: str,
    cursor: QueryEx[int, P(ge=0, le=100_000)] = 0,
    question: uuid.UUID | None = None,
) -> dict[str, Any]:
    """Return a page of 100 answers with their texts, ordered by question, platform and repeat."""
    diagnosis = get_visible_diagnosis(request, diagnosis_id)
    # At most 1,000 answers, all created with the diagnosis, so an offset is a stable cursor.
    ordered = diagnosis.answers.order_by(*ANSWER_ORDERING)
    if question:
        ordered = ordered.filter(question=question)
    rows: list[Answer] = list(ordered[cursor : cursor + ANSWERS_PER_PAGE + 1])
    has_more = len(rows) > ANSWERS_PER_PAGE
    return {
        "items": [serializers.serialize_answer(row) for row in rows[:ANSWERS_PER_PAGE]],
        "next": str(cursor + ANSWERS_PER_PAGE) if has_more else None,
    }


@router.get(
    "/diagnoses/{diagnosis_id}/answers/summary",
    response=list[AnswerSummaryOut],
    summary="List the answers without texts",
    operation_id="diagnosis_api_list_answer_summaries",
)
def list_answer_summaries(request: HttpRequest, diagnosis_id: str) -> list[dict[str, Any]]:
    """Return all answers, at most 1,000, with the brands that each names, ordered as their pages are."""
    diagnosis = get_visible_diagnosis(request, diagnosis_id)
    rows = diagnosis.answers.order_by(*ANSWER_ORDERING).only(*serializers.ANSWER_SUMMARY_COLUMNS)
    return [serializers.serialize_answer_summary(row) for row in rows]


@router.post(
    "/diagnoses/{diagnosis_id}/cancel",
    response=DiagnosisOut,
    summary="Cancel a diagnosis",
    operation_id="diagnosis_api_cancel_diagnosis",
)
def cancel(request: HttpRequest, diagnosis_id: str) -> dict[str, Any]:
    """Cancel a running diagnosis, keeping its answers; one that has ended is returned unchanged."""
    diagnosis = get_visible_diagnosis(request, diagnosis_id, WorkspaceRole.EDITOR)
    with brief_transaction():
        return serializers.serialize_diagnosis(services.cancel_diagnosis(diagnosis))


@router.post(
    "/diagnoses/{diagnosis_id}/retry",
    response={202: AcceptedOut, 200: AcceptedOut},
    summary="Retry the failed calls",
    operation_id="diagnosis_api_retry_diagnosis",
)
def retry(request: HttpRequest, diagnosis_id: str, idempotency_key: IdempotencyKey = None) -> Response[dict[str, Any]]:
    """Start a new diagnosis that repeats only the failed calls on available platforms.

    200 with an existing one if the same key was sent before, if a retry is running, or if one has every answer.
    """
    diagnosis, is_new = create_retry(
        get_visible_diagnosis(request, diagnosis_id, WorkspaceRole.EDITOR),
        build_request_context(request, idempotency_key),
    )
    return Response(202 if is_new else 200, serializers.serialize_accepted(diagnosis))


@router.get(
    "/statistics", response=StatisticsOut, summary="Get statistics", operation_id="diagnosis_api_get_statistics"
)
async def get_statistics(request: HttpRequest) -> HttpResponse:
    """Return counts over the caller's diagnoses of real platforms, for staff over those of all users."""
    body = await cache.get_statistics_json(get_request_user(request))
    return HttpResponse(body, content_type="application/json")
