"""HTTP API of schedules."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router
from ninja import Status as Response

from diagnosis.api.access import get_request_user, get_visible_diagnosis
from diagnosis.choices import WorkspaceRole
from diagnosis.clients import get_client_kind
from diagnosis.models import Platform, Schedule
from diagnosis.moderation import check_typed_texts
from diagnosis.platforms.availability import describe_obstacle, find_obstacle
from diagnosis.schedules.estimates import (
    ZERO_COST,
    Estimate,
    OfferedPlatforms,
    estimate_cost,
    get_offered_platforms,
    get_spent_this_month,
)
from diagnosis.schedules.runner import build_diagnosis_request
from diagnosis.schedules.schemas import EstimateIn, EstimateOut, ScheduleIn, ScheduleList, ScheduleOut
from diagnosis.schedules.services import build_schedule, has_duplicate, set_paused, store_schedule
from errors.exceptions import Forbidden, NotFound
from errors.problems import get_current_locale

router = Router(tags=["schedules"])


@router.get(
    "/schedules",
    response=ScheduleList,
    summary="List the schedules",
    operation_id="diagnosis_schedules_api_list_schedules",
)
def list_schedules(request: HttpRequest) -> dict[str, Any]:
    """Return the caller's schedules with their cost estimates and the spending of this month."""
    items = serialize_schedules(request, list(Schedule.objects.visible_to(get_request_user(request))))
    return {"items": items, "most": settings.SCHEDULES_PER_OWNER, "zone": settings.TIME_ZONE}


@router.post(
    "/schedules/estimate",
    response=EstimateOut,
    summary="Estimate the cost of a schedule",
    operation_id="diagnosis_schedules_api_estimate_schedule",
)
def estimate_schedule(request: HttpRequest, body: EstimateIn) -> dict[str, Any]:
    """Return calls, money and duration per run and per month, and whether the budget suffices. Nothing is stored."""
    schedule = build_schedule(
        get_visible_diagnosis(request, str(body.diagnosis), WorkspaceRole.EDITOR),
        body,
        get_request_user(request),
        get_current_locale(),
    )
    platforms = get_platforms_of_caller(request)
    estimate = serialize_estimate(schedule, estimate_cost(schedule, platforms), platforms.by_id)
    return estimate | {"is_duplicate": has_duplicate(schedule)}


@router.post(
    "/schedules",
    response={201: ScheduleOut},
    summary="Create a schedule",
    operation_id="diagnosis_schedules_api_start_schedule",
)
def start_schedule(request: HttpRequest, body: ScheduleIn) -> Response[dict[str, Any]]:
    """Repeat a diagnosis every day, week or month; the first run is at `next_at`.

    409 if the caller has one of the same brand, questions and platforms at the same time; `confirm_duplicate` creates
    it nevertheless.
    """
    schedule = build_schedule(
        get_visible_diagnosis(request, str(body.diagnosis), WorkspaceRole.EDITOR),
        body,
        get_request_user(request),
        get_current_locale(),
    )
    # Its runs have no visit in which they could be checked.
    check_typed_texts(get_request_user(request), build_diagnosis_request(schedule).get_texts())
    stored = store_schedule(schedule, confirms_duplicate=body.confirm_duplicate)
    return Response(201, serialize_schedules(request, [stored])[0])


@router.get(
    "/schedules/{schedule_id}",
    response=ScheduleOut,
    summary="Get a schedule",
    operation_id="diagnosis_schedules_api_get_schedule",
)
def get_schedule(request: HttpRequest, schedule_id: str) -> dict[str, Any]:
    """Return the current state of a schedule."""
    return serialize_schedules(request, [_get_visible_schedule(request, schedule_id)])[0]


@router.post(
    "/schedules/{schedule_id}/pause",
    response=ScheduleOut,
    summary="Pause a schedule",
    operation_id="diagnosis_schedules_api_pause",
)
def pause(request: HttpRequest, schedule_id: str) -> dict[str, Any]:
    """Pause a schedule: no run is started until it is resumed."""
    return serialize_schedules(
        request, [set_paused(_get_visible_schedule(request, schedule_id, WorkspaceRole.EDITOR), is_paused=True)]
    )[0]


@router.post(
    "/schedules/{schedule_id}/resume",
    response=ScheduleOut,
    summary="Resume a schedule",
    operation_id="diagnosis_schedules_api_resume",
)
def resume(request: HttpRequest, schedule_id: str) -> dict[str, Any]:
    """Resume a schedule at its next time; missed runs are not repeated."""
    return serialize_schedules(
        request, [set_paused(_get_visible_schedule(request, schedule_id, WorkspaceRole.EDITOR), is_paused=False)]
    )[0]


@router.delete(
    "/schedules/{schedule_id}",
    response={204: None},
    summary="Delete a schedule",
    operation_id="diagnosis_schedules_api_delete",
)
def delete(request: HttpRequest, schedule_id: str) -> Response[None]:
    """Delete a schedule; the diagnoses that it started are kept."""
    _get_visible_schedule(request, schedule_id, WorkspaceRole.EDITOR).delete()
    return Response(204, None)


def _get_visible_schedule(
    request: HttpRequest, schedule_id: str, role: WorkspaceRole = WorkspaceRole.VIEWER
) -> Schedule:
    user = get_request_user(request)
    try:
        schedule = Schedule.objects.visible_to(user).get(pk=uuid.UUID(schedule_id))
    except (ValueError, Schedule.DoesNotExist) as error:
        raise NotFound from error
    if not Schedule.objects.visible_to(user, role).filter(pk=schedule.pk).exists():
        raise Forbidden
    return schedule


def get_platforms_of_caller(request: HttpRequest) -> OfferedPlatforms:
    """Return the platforms that the caller may select."""
    return get_offered_platforms(get_client_kind(get_request_user(request)))


_SERIALIZED_FIELDS = [
    "id",
    "brand",
    "questions",
    "platforms",
    "repeats",
    "every",
    "weekday",
    "day",
    "time",
    "next_at",
    "slot_at",
    "retry_until",
    "wait_reason",
    "is_paused",
    "budget_calls",
    "budget_money",
    "skipped_at",
    "skip_reason",
    "created_at",
]


def serialize_schedules(request: HttpRequest, schedules: list[Schedule]) -> list[dict[str, Any]]:
    """Serialize schedules with their estimates and what they have spent this month."""
    platforms = get_platforms_of_caller(request)
    spent = get_spent_this_month(schedules, platforms)
    return [
        {name: getattr(schedule, name) for name in _SERIALIZED_FIELDS}
        | {
            "competitors": [competitor["name"] for competitor in schedule.competitors],
            "workspace": schedule.workspace_id,
            "panel": schedule.panel_id,
            "demo": schedule.is_demo,
            "zone": settings.TIME_ZONE,
            "last_diagnosis": schedule.last_diagnosis_id,
            "estimate": serialize_estimate(
                schedule, estimate_cost(schedule, platforms, spent.get(schedule.pk, ZERO_COST)), platforms.by_id
            ),
        }
        for schedule in schedules
    ]


def serialize_estimate(
    schedule: Schedule, cost_estimate: Estimate, platforms: Mapping[str, Platform]
) -> dict[str, Any]:
    """Serialize an estimate, with the platforms that cannot be called now."""
    return asdict(cost_estimate) | {
        "refused": cost_estimate.refused or "",
        "next_at": schedule.next_at,
        "zone": settings.TIME_ZONE,
        "unavailable": [
            {
                "id": platform.pk,
                "name": platform.name,
                "reason": describe_obstacle(platform),
                "until": platform.paused_until if platform.is_paused else None,
            }
            for pk, platform in platforms.items()
            if pk in schedule.platforms and find_obstacle(platform)
        ],
    }
