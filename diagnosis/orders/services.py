"""Create and cancel diagnoses. Rows, event stream and job are created in one transaction."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from diagnosis.choices import ClientKind, DiagnosisStatus
from diagnosis.clients import get_client_kind
from diagnosis.exceptions import PlatformsUnavailable
from diagnosis.models import Answer, Brand, Diagnosis, Platform, Question, Workspace
from diagnosis.moderation import check_typed_texts
from diagnosis.orders.quotas import check_quota
from diagnosis.platforms.availability import Obstacle, describe_obstacle, find_obstacle
from diagnosis.running import queue
from diagnosis.running.dispatch import enqueue_in_turn
from diagnosis.running.events import build_progress_event
from diagnosis.running.state_machine import end_diagnosis
from diagnosis.spending.estimates import check_budgets, plan_cost
from diagnosis.trends.panels import compute_panel_key
from diagnosis.workspaces.defaults import find_default_workspace_id, get_default_workspace
from diagnosis.workspaces.names import BrandNames, adopt_names
from errors.exceptions import Conflict, InvalidInput
from progress.services import append_events, open_stream


@dataclass(frozen=True)
class RequestedBrand:
    """A brand with its other spellings and the hosts of its own sites."""

    name: str
    aliases: Sequence[str] = ()
    sites: Sequence[str] = ()

    def get_texts(self, prefix: str = "") -> dict[str, str]:
        """Return {field: text} of the other spellings and the sites. prefix: of the fields' names."""
        aliases = {f"{prefix}aliases.{index}": text for index, text in enumerate(self.aliases)}
        return aliases | {f"{prefix}sites.{index}": text for index, text in enumerate(self.sites)}


@dataclass(frozen=True)
class DiagnosisRequest:
    """A requested diagnosis, already validated.

    The names of the fields are part of `fingerprint`: renaming one breaks idempotency keys that are in use.
    """

    brand: RequestedBrand
    questions: Sequence[str]
    platforms: Sequence[str]
    competitors: Sequence[RequestedBrand] = field(default_factory=list)
    repeats: int = 1
    questions_about_brand: Sequence[int] = ()

    def get_texts(self) -> dict[str, str]:
        """Return everything that the user has typed, {field: text}, with the names of fields as in the API."""
        texts = {"brand": self.brand.name} | self.brand.get_texts()
        for index, competitor in enumerate(self.competitors):
            prefix = f"competitors.{index}."
            texts |= {f"{prefix}name": competitor.name} | competitor.get_texts(prefix)
        return texts | {f"questions.{index}": text for index, text in enumerate(self.questions)}

    def fingerprint(self) -> str:
        """Return a hash that distinguishes a repeated request from another one with the same idempotency key."""
        fields = asdict(self)
        if not self.questions_about_brand:
            del fields["questions_about_brand"]  # as before the field existed
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class RequestContext:
    """The circumstances of a request: the owner, their language, and the ids of the request.

    schedule: id of the schedule that makes the request. workspace: id of that of the diagnosis; by default the owner's
    workspace of the brand. panel_version: id of the version that it asks. knows_keys: whether this process has the
    platforms' keys; a terminal may leave them to a worker. is_typed: whether the texts come from a user now, so that
    they must be checked.
    """

    owner: AbstractBaseUser
    idempotency_key: str | None = None
    request_id: str = ""
    locale: str = "zh-hans"
    schedule: uuid.UUID | None = None
    workspace: uuid.UUID | None = None
    panel_version: int | None = None
    knows_keys: bool = True
    is_typed: bool = False


def create_diagnosis(request: DiagnosisRequest, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a diagnosis; returns it and whether it is new: a repeated idempotency key returns the first one.

    Raises Conflict if the key was used for a different request, what `get_requested_platforms` raises,
    PlatformsUnavailable if none of the platforms can be called, QueueFull and TooManyUnfinished (see `check_quota`),
    BudgetExhausted if the expected cost does not fit into a budget of this month, and what `check_typed_texts` raises.
    """
    fingerprint = request.fingerprint()
    existing = find_by_idempotency_key(context, fingerprint)
    if existing:
        return existing, False
    platforms = get_requested_platforms(request.platforms, get_client_kind(context.owner))
    _check_one_is_available(platforms, knows_keys=context.knows_keys)
    check_quota(context.owner)
    cost = plan_cost(platforms, dict.fromkeys(request.platforms, len(request.questions) * request.repeats))
    is_demo = any(platform.is_demo for platform in platforms)
    workspace_id = context.workspace or find_default_workspace_id(context.owner.pk, request.brand.name, is_demo=is_demo)
    by_id = {platform.pk: platform for platform in platforms}
    check_budgets(cost, by_id, context.owner.pk, context.schedule, workspace_id)
    if context.is_typed:
        check_typed_texts(context.owner, request.get_texts())
    try:
        with transaction.atomic():
            return _create_rows(request, platforms, context, fingerprint, cost.money), True
    except IntegrityError:  # a concurrent request with the same key was first
        existing = find_by_idempotency_key(context, fingerprint)
        if existing is None:
            raise
        return existing, False


def find_by_idempotency_key(context: RequestContext, fingerprint: str) -> Diagnosis | None:
    """Return the owner's diagnosis of this key. Raises Conflict if the key was used for a different request."""
    if context.idempotency_key is None:
        return None
    existing = Diagnosis.objects.filter(owner_id=context.owner.pk, idempotency_key=context.idempotency_key).first()
    if existing and existing.request_hash != fingerprint:
        raise Conflict(fields={"Idempotency-Key": _("这个键已用于另一个请求，请换一个新的键。")})
    return existing


def get_requested_platforms(ids: Sequence[str], client: ClientKind) -> list[Platform]:
    """Return the platforms in the order of the ids.

    Raises InvalidInput if one does not exist, is disabled or not offered to the client, or if demo platforms are mixed
    with real ones.
    """
    platforms = {platform.pk: platform for platform in Platform.objects.offered_to(client).filter(pk__in=ids)}
    missing = {
        f"platforms.{index}": _("没有名为“%(name)s”的可用平台。") % {"name": platform_id}
        for index, platform_id in enumerate(ids)
        if platform_id not in platforms
    }
    if missing:
        raise InvalidInput(fields=missing)
    if len({platform.is_demo for platform in platforms.values()}) > 1:
        raise InvalidInput(fields={"platforms": _("演示平台的回答是虚构的，不能与真实平台放在同一次诊断里。")})
    return [platforms[platform_id] for platform_id in ids]


def _check_one_is_available(platforms: Sequence[Platform], *, knows_keys: bool) -> None:
    ignored = (None,) if knows_keys else (None, Obstacle.NO_KEY)
    if any(find_obstacle(platform) in ignored for platform in platforms):
        return
    reasons = "；".join(f"{platform.name}：{describe_obstacle(platform)}" for platform in platforms)
    message = _("所选平台现在都不能询问（%(reasons)s），请换别的平台，或等恢复后再试。") % {"reasons": reasons}
    pause_ends = [platform.paused_until for platform in platforms if find_obstacle(platform) == Obstacle.PAUSED]
    raise PlatformsUnavailable(
        fields={"platforms": message}, until=min((until for until in pause_ends if until), default=None)
    )


def _create_rows(
    request: DiagnosisRequest,
    platforms: Sequence[Platform],
    context: RequestContext,
    fingerprint: str,
    estimated_cost: Decimal | None,
) -> Diagnosis:
    is_demo, owner_id = any(platform.is_demo for platform in platforms), context.owner.pk
    workspace = (
        Workspace.objects.get(pk=context.workspace)
        if context.workspace
        else get_default_workspace(owner_id, request.brand.name, is_demo=is_demo)
    )
    diagnosis = create_diagnosis_row(
        context,
        workspace=workspace,
        panel_version_id=context.panel_version,
        names_version=adopt_names(workspace, list_names(request)),
        brand=request.brand.name,
        panel=compute_panel_key(request.brand.name, request.questions, request.platforms),
        schedule_id=context.schedule,
        estimated_cost=estimated_cost,
        is_demo=is_demo,
        repeats=request.repeats,
        planned=len(request.questions) * len(platforms) * request.repeats,
        request_hash=fingerprint,
    )
    brands = [request.brand, *request.competitors]
    Brand.objects.bulk_create(
        Brand(
            diagnosis=diagnosis,
            name=brand.name,
            aliases=list(brand.aliases),
            sites=list(brand.sites),
            is_own=index == 0,
            position=index,
        )
        for index, brand in enumerate(brands)
    )
    questions = Question.objects.bulk_create(
        Question(diagnosis=diagnosis, position=index, text=text, is_about_brand=index in request.questions_about_brand)
        for index, text in enumerate(request.questions)
    )
    Answer.objects.bulk_create(
        Answer(
            diagnosis=diagnosis,
            question=question,
            platform=platform,
            repeat=repeat,
            is_demo=platform.is_demo,
            protocol=platform.protocol,
            surface=platform.surface,
        )
        for question in questions
        for platform in platforms
        for repeat in range(1, request.repeats + 1)
    )
    return enqueue(diagnosis)


def list_names(request: DiagnosisRequest) -> list[BrandNames]:
    """Return the names of a request as those of a workspace."""
    brands = [request.brand, *request.competitors]
    return [
        BrandNames(brand.name, tuple(brand.aliases), tuple(brand.sites), is_own=index == 0)
        for index, brand in enumerate(brands)
    ]


def create_diagnosis_row(context: RequestContext, **columns: Any) -> Diagnosis:
    """Create the row of a diagnosis with its stream."""
    return Diagnosis.objects.create(
        owner_id=context.owner.pk,
        stream=open_stream(context.owner, request_id=context.request_id),
        request_id=context.request_id,
        locale=context.locale,
        idempotency_key=context.idempotency_key,
        **columns,
    )


def enqueue(diagnosis: Diagnosis) -> Diagnosis:
    """Enqueue the run of a diagnosis whose rows are complete, or let it wait for its turn, in their transaction."""
    append_events(diagnosis.stream_id, [("progress", build_progress_event(diagnosis))])
    enqueue_in_turn(diagnosis)
    return diagnosis


def cancel_diagnosis(diagnosis: Diagnosis, status: DiagnosisStatus = DiagnosisStatus.CANCELLED) -> Diagnosis:
    """End an unfinished diagnosis, keeping its stored answers. Returns the diagnosis in its current state.

    status: why it ends, CANCELLED or TIMED_OUT.
    """
    with transaction.atomic():
        ended = end_diagnosis(diagnosis.pk, status)
        if ended:
            queue.abort_run(ended.job_id)
    return Diagnosis.objects.get(pk=diagnosis.pk)
