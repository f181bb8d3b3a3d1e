"""Accept orders: what a user asks for becomes rows, a stream and a job, all in one transaction."""

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
from diagnosis.running.state_machine import end_diagnosis
from diagnosis.trends.panels import compute_panel_key
from errors.exceptions import Conflict, InvalidInput
from progress.services import append_events, open_stream


@dataclass(frozen=True)
class RequestedBrand:
    """A brand and its other spellings."""

    name: str
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class DiagnosisRequest:
    """What the user asks for, already checked for shape and size."""

    brand: RequestedBrand
    questions: Sequence[str]
    platforms: Sequence[str]
    competitors: Sequence[RequestedBrand] = field(default_factory=list)
    repeats: int = 1

    def fingerprint(self) -> str:
        """The same for the same order, to tell a repeated request from another one under the same key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class RequestContext:
    """Around an order: who asks, under which Idempotency-Key and request id, reading which language.

    schedule: the id of the schedule that places it.
    """

    owner: AbstractBaseUser
    idempotency_key: str | None = None
    request_id: str = ""
    locale: str = "zh-hans"
    schedule: uuid.UUID | None = None


def create_diagnosis(request: DiagnosisRequest, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Accept an order; returns the diagnosis and whether it is new.

    The same key and order again finds the first one; the same key with another order raises Conflict.
    Raises InvalidInput when a platform does not exist or is switched off, QueueFull and TooManyUnfinished when too much
    is unfinished.
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
    except IntegrityError:  # the same key at the same moment: the other one was first
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
    """The platforms with these ids, in this order; InvalidInput when one does not exist or is switched off."""
    found = {platform.pk: platform for platform in Platform.objects.filter(pk__in=ids, is_enabled=True)}
    missing = {
        f"platforms.{index}": _("没有名为“%(name)s”的可用平台。") % {"name": platform_id}
        for index, platform_id in enumerate(ids)
        if platform_id not in found
    }
    if missing:
        raise InvalidInput(fields=missing)
    return [found[platform_id] for platform_id in ids]


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
    event = {
        "stage": diagnosis.status,
        "percent": 0,
        "done": diagnosis.settled_count,
        "planned": diagnosis.planned,
        "eta_s": None,
    }
    append_events(diagnosis.stream_id, [("progress", event)])
    diagnosis.job_id = queue.enqueue_run(diagnosis.pk)
    diagnosis.save(update_fields=["job_id"])
    return diagnosis


def create_retry(source: Diagnosis, context: RequestContext) -> tuple[Diagnosis, bool]:
    """A new diagnosis, of the same owner, that carries the stored answers over and asks again only what failed.

    Asked twice, the second finds the first's while that one runs. Raises DiagnosisRunning while the source runs and
    Conflict when nothing failed, or only platforms that are switched off by now; QueueFull and TooManyUnfinished.
    """
    with transaction.atomic():
        # The lock makes two taps at once one retry.
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
    Answer.objects.bulk_create(
        _copy_answer(answer, diagnosis, questions[answer.question_id], is_carried_over=answer.pk not in retried_ids)
        for answer in answers
    )
    return _enqueue(diagnosis)


def _copy_answer(answer: Answer, diagnosis: Diagnosis, question: Question, *, is_carried_over: bool) -> Answer:
    if not is_carried_over:
        return Answer(
            diagnosis=diagnosis,
            question=question,
            platform_id=answer.platform_id,
            repeat=answer.repeat,
            is_demo=answer.is_demo,
        )
    answer.pk, answer.diagnosis, answer.question, answer.is_carried_over = uuid.uuid4(), diagnosis, question, True
    return answer


def cancel_diagnosis(diagnosis: Diagnosis) -> Diagnosis:
    """Cancel at any time, keeping what is stored; a final diagnosis stays as it is. Returns it as it stands."""
    with transaction.atomic():
        cancelled = end_diagnosis(diagnosis.pk, DiagnosisStatus.CANCELLED)
        if cancelled:
            queue.abort_run(cancelled.job_id)
    return Diagnosis.objects.get(pk=diagnosis.pk)
