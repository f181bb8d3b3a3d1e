"""Create, retry and cancel diagnoses. Rows, event stream and job are created in one transaction."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Answer, Brand, Diagnosis, Platform, Question
from diagnosis.orders.quotas import check_quota
from diagnosis.running import queue
from diagnosis.running.events import build_progress_event
from diagnosis.running.state_machine import end_diagnosis
from diagnosis.trends.panels import compute_panel_key
from errors.exceptions import Conflict, InvalidInput
from progress.services import append_events, open_stream


@dataclass(frozen=True)
class RequestedBrand:
    """A brand with its other spellings."""

    name: str
    aliases: Sequence[str] = ()


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

    def fingerprint(self) -> str:
        """Return a hash that distinguishes a repeated request from another one with the same idempotency key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class RequestContext:
    """The circumstances of a request: the owner, their language, and the ids of the request.

    schedule: id of the schedule that makes the request.
    """

    owner: AbstractBaseUser
    idempotency_key: str | None = None
    request_id: str = ""
    locale: str = "zh-hans"
    schedule: uuid.UUID | None = None


def create_diagnosis(request: DiagnosisRequest, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a diagnosis; returns it and whether it is new: a repeated idempotency key returns the first one.

    Raises Conflict if the key was used for a different request, InvalidInput if a platform does not exist or is
    disabled, QueueFull and TooManyUnfinished (see `check_quota`).
    """
    fingerprint = request.fingerprint()
    existing = _find_by_idempotency_key(context, fingerprint)
    if existing:
        return existing, False
    platforms = get_requested_platforms(request.platforms)
    check_quota(context.owner)
    try:
        with transaction.atomic():
            return _create_rows(request, platforms, context, fingerprint), True
    except IntegrityError:  # a concurrent request with the same key was first
        existing = _find_by_idempotency_key(context, fingerprint)
        if existing is None:
            raise
        return existing, False


def _find_by_idempotency_key(context: RequestContext, fingerprint: str) -> Diagnosis | None:
    if context.idempotency_key is None:
        return None
    existing = Diagnosis.objects.filter(owner_id=context.owner.pk, idempotency_key=context.idempotency_key).first()
    if existing and existing.request_hash != fingerprint:
        raise Conflict(fields={"Idempotency-Key": _("这个键已用于另一个请求，请换一个新的键。")})
    return existing


def get_requested_platforms(ids: Sequence[str]) -> list[Platform]:
    """Return the platforms in the order of the ids. Raises InvalidInput if one does not exist or is disabled."""
    platforms = {platform.pk: platform for platform in Platform.objects.enabled().filter(pk__in=ids)}
    missing = {
        f"platforms.{index}": _("没有名为“%(name)s”的可用平台。") % {"name": platform_id}
        for index, platform_id in enumerate(ids)
        if platform_id not in platforms
    }
    if missing:
        raise InvalidInput(fields=missing)
    return [platforms[platform_id] for platform_id in ids]


def _create_rows(
    request: DiagnosisRequest, platforms: Sequence[Platform], context: RequestContext, fingerprint: str
) -> Diagnosis:
    diagnosis = _create_diagnosis_row(
        context,
        brand=request.brand.name,
        panel=compute_panel_key(request.brand.name, request.questions, request.platforms),
        schedule_id=context.schedule,
        is_demo=any(platform.is_demo for platform in platforms),
        repeats=request.repeats,
        planned=len(request.questions) * len(platforms) * request.repeats,
        idempotency_key=context.idempotency_key,
        request_hash=fingerprint,
    )
    brands = [request.brand, *request.competitors]
    Brand.objects.bulk_create(
        Brand(diagnosis=diagnosis, name=brand.name, aliases=list(brand.aliases), is_own=index == 0, position=index)
        for index, brand in enumerate(brands)
    )
    questions = Question.objects.bulk_create(
        Question(diagnosis=diagnosis, position=index, text=text) for index, text in enumerate(request.questions)
    )
    Answer.objects.bulk_create(
        Answer(diagnosis=diagnosis, question=question, platform=platform, repeat=repeat, is_demo=platform.is_demo)
        for question in questions
        for platform in platforms
        for repeat in range(1, request.repeats + 1)
    )
    return _enqueue(diagnosis)


def _create_diagnosis_row(context: RequestContext, **columns: Any) -> Diagnosis:
    return Diagnosis.objects.create(
        owner_id=context.owner.pk,
        stream=open_stream(context.owner, request_id=context.request_id),
        request_id=context.request_id,
        locale=context.locale,
        **columns,
    )


def _enqueue(diagnosis: Diagnosis) -> Diagnosis:
    append_events(diagnosis.stream_id, [("progress", build_progress_event(diagnosis))])
    diagnosis.job_id = queue.enqueue_run(diagnosis.pk)
    diagnosis.save(update_fields=["job_id"])
    return diagnosis


def create_retry(source: Diagnosis, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a diagnosis of the same owner that copies the stored answers and repeats only the failed calls.

    Returns it and whether it is new: an unfinished retry of the source is returned instead. Raises DiagnosisRunning
    while the source runs, Conflict if no call failed on an enabled platform, QueueFull and TooManyUnfinished.
    """
    with transaction.atomic():
        # The lock makes concurrent requests create one retry.
        source = Diagnosis.objects.select_for_update(of=("self",)).select_related("owner").get(pk=source.pk)
        if not source.is_final:
            raise DiagnosisRunning
        running = source.retries.unfinished().first()
        if running:
            return running, False
        check_quota(source.owner)
        return _create_retry_rows(source, replace(context, owner=source.owner)), True


def _create_retry_rows(source: Diagnosis, context: RequestContext) -> Diagnosis:
    answers = list(source.answers.select_related("platform"))
    failed = [answer for answer in answers if answer.state == AnswerState.FAILED]
    retried_ids = {answer.pk for answer in failed if answer.platform.is_enabled}
    if not retried_ids:
        message = _("失败的平台都已停用，暂时无法重试。") if failed else _("没有失败的回答，无需重试。")
        raise Conflict(fields={"id": message})
    diagnosis = _create_diagnosis_row(
        context,
        brand=source.brand,
        panel=source.panel,
        is_demo=source.is_demo,
        repeats=source.repeats,
        planned=source.planned,
        valid=source.valid,
        filtered=source.filtered,
        failed=len(failed) - len(retried_ids),
        carried_over=len(answers) - len(retried_ids),
        retry_of=source,
    )
    Brand.objects.bulk_create(
        Brand(diagnosis=diagnosis, name=brand.name, aliases=brand.aliases, is_own=brand.is_own, position=brand.position)
        for brand in source.brands.all()
    )
    questions = {
        question.pk: Question(diagnosis=diagnosis, position=question.position, text=question.text)
        for question in source.questions.all()
    }
    Question.objects.bulk_create(questions.values())
    for answer in answers:
        answer.question, answer.diagnosis = questions[answer.question_id], diagnosis
    retried = [
        Answer(
            diagnosis=diagnosis,
            question=answer.question,
            platform_id=answer.platform_id,
            repeat=answer.repeat,
            is_demo=answer.is_demo,
        )
        for answer in answers
        if answer.pk in retried_ids
    ]
    carried_over = [answer for answer in answers if answer.pk not in retried_ids]
    for answer in carried_over:
        answer.pk, answer.is_carried_over = uuid.uuid4(), True
    Answer.objects.bulk_create(retried + carried_over)
    return _enqueue(diagnosis)


def cancel_diagnosis(diagnosis: Diagnosis, status: DiagnosisStatus = DiagnosisStatus.CANCELLED) -> Diagnosis:
    """End an unfinished diagnosis, keeping its stored answers. Returns the diagnosis in its current state.

    status: why it ends, CANCELLED or TIMED_OUT.
    """
    with transaction.atomic():
        ended = end_diagnosis(diagnosis.pk, status)
        if ended:
            queue.abort_run(ended.job_id)
    return Diagnosis.objects.get(pk=diagnosis.pk)
