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

from diagnosis import jobs
from diagnosis.admission import admit
from diagnosis.choices import AnswerState, Status
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Answer, Brand, Diagnosis, Platform, Question
from diagnosis.panels import panel_of
from diagnosis.transitions import end_diagnosis
from errors.exceptions import Conflict, InvalidInput
from progress.services import append_events, open_stream


@dataclass(frozen=True)
class BrandOrder:
    """A brand and its other spellings."""

    name: str
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class Order:
    """What the user asks for, already checked for shape and size."""

    brand: BrandOrder
    questions: Sequence[str]
    platforms: Sequence[str]
    competitors: Sequence[BrandOrder] = field(default_factory=list)
    repeats: int = 1

    def fingerprint(self) -> str:
        """The same for the same order, to tell a repeated request from another one under the same key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Request:
    """Around an order: who asks, under which Idempotency-Key and request id, reading which language.

    schedule: the id of the schedule that places it.
    """

    owner: AbstractBaseUser
    idempotency_key: str | None = None
    request_id: str = ""
    locale: str = "zh-hans"
    schedule: uuid.UUID | None = None


def place_order(order: Order, request: Request) -> tuple[Diagnosis, bool]:
    """Accept an order; returns the diagnosis and whether it is new.

    The same key and order again finds the first one; the same key with another order raises Conflict.
    Raises InvalidInput when a platform does not exist or is switched off, SiteIsFull and OwnerHasTooMany when too much
    is unfinished.
    """
    fingerprint = order.fingerprint()
    earlier = _find_earlier(request, fingerprint)
    if earlier:
        return earlier, False
    platforms = find_platforms(order.platforms)
    admit(request.owner)
    try:
        with transaction.atomic():
            return _create(order, platforms, request, fingerprint), True
    except IntegrityError:  # the same key at the same moment: the other one was first
        earlier = _find_earlier(request, fingerprint)
        if earlier is None:
            raise
        return earlier, False


def _find_earlier(request: Request, fingerprint: str) -> Diagnosis | None:
    if request.idempotency_key is None:
        return None
    earlier = Diagnosis.objects.filter(owner_id=request.owner.pk, idempotency_key=request.idempotency_key).first()
    if earlier and earlier.request_hash != fingerprint:
        raise Conflict(fields={"Idempotency-Key": _("这个键已用于另一个请求，请换一个新的键。")})
    return earlier


def find_platforms(wanted: Sequence[str]) -> list[Platform]:
    """The platforms with these ids, in this order; InvalidInput when one does not exist or is switched off."""
    found = {platform.pk: platform for platform in Platform.objects.filter(pk__in=wanted, is_enabled=True)}
    missing = {
        f"platforms.{index}": _("没有名为“%(name)s”的可用平台。") % {"name": name}
        for index, name in enumerate(wanted)
        if name not in found
    }
    if missing:
        raise InvalidInput(fields=missing)
    return [found[name] for name in wanted]


def _create(order: Order, platforms: Sequence[Platform], request: Request, fingerprint: str) -> Diagnosis:
    diagnosis = _create_row(
        request,
        brand=order.brand.name,
        panel=panel_of(order.brand.name, order.questions, order.platforms),
        schedule_id=request.schedule,
        is_demo=any(platform.is_demo for platform in platforms),
        repeats=order.repeats,
        planned=len(order.questions) * len(platforms) * order.repeats,
        idempotency_key=request.idempotency_key,
        request_hash=fingerprint,
    )
    brands = [order.brand, *order.competitors]
    Brand.objects.bulk_create(
        Brand(diagnosis=diagnosis, name=brand.name, aliases=list(brand.aliases), is_own=index == 0, position=index)
        for index, brand in enumerate(brands)
    )
    questions = Question.objects.bulk_create(
        Question(diagnosis=diagnosis, position=index, text=text) for index, text in enumerate(order.questions)
    )
    Answer.objects.bulk_create(
        Answer(diagnosis=diagnosis, question=question, platform=platform, repeat=repeat, is_demo=platform.is_demo)
        for question in questions
        for platform in platforms
        for repeat in range(1, order.repeats + 1)
    )
    return _start(diagnosis)


def _create_row(request: Request, **columns: Any) -> Diagnosis:
    return Diagnosis.objects.create(
        owner_id=request.owner.pk,
        stream=open_stream(request.owner, request_id=request.request_id),
        request_id=request.request_id,
        locale=request.locale,
        **columns,
    )


def _start(diagnosis: Diagnosis) -> Diagnosis:
    event = {
        "stage": diagnosis.status,
        "percent": 0,
        "done": diagnosis.settled,
        "planned": diagnosis.planned,
        "eta_s": None,
    }
    append_events(diagnosis.stream_id, [("progress", event)])
    diagnosis.job_id = jobs.enqueue_run(diagnosis.pk)
    diagnosis.save(update_fields=["job_id"])
    return diagnosis


def retry_diagnosis(source: Diagnosis, request: Request) -> tuple[Diagnosis, bool]:
    """A new diagnosis, of the same owner, that carries the stored answers over and asks again only what failed.

    Asked twice, the second finds the first's while that one runs. Raises DiagnosisRunning while the source runs and
    Conflict when nothing failed, or only platforms that are switched off by now; SiteIsFull and OwnerHasTooMany.
    """
    with transaction.atomic():
        # The lock makes two taps at once one retry.
        source = Diagnosis.objects.select_for_update(of=("self",)).select_related("owner").get(pk=source.pk)
        if not source.is_final:
            raise DiagnosisRunning
        running = source.retries.unfinished().first()
        if running:
            return running, False
        admit(source.owner)
        return _create_retry(source, replace(request, owner=source.owner)), True


def _create_retry(source: Diagnosis, request: Request) -> Diagnosis:
    answers = list(source.answers.select_related("platform"))
    failed = [answer for answer in answers if answer.state == AnswerState.FAILED]
    asked_again = {answer.pk for answer in failed if answer.platform.is_enabled}
    if not asked_again:
        why = _("失败的平台都已停用，暂时无法重试。") if failed else _("没有失败的回答，无需重试。")
        raise Conflict(fields={"id": why})
    diagnosis = _create_row(
        request,
        brand=source.brand,
        panel=source.panel,
        is_demo=source.is_demo,
        repeats=source.repeats,
        planned=source.planned,
        valid=source.valid,
        filtered=source.filtered,
        failed=len(failed) - len(asked_again),
        carried_over=len(answers) - len(asked_again),
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
        _copy_answer(answer, diagnosis, questions[answer.question_id], is_kept=answer.pk not in asked_again)
        for answer in answers
    )
    return _start(diagnosis)


def _copy_answer(answer: Answer, diagnosis: Diagnosis, question: Question, *, is_kept: bool) -> Answer:
    if not is_kept:
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
        cancelled = end_diagnosis(diagnosis.pk, Status.CANCELLED)
        if cancelled:
            jobs.abort_run(cancelled.job_id)
    return Diagnosis.objects.get(pk=diagnosis.pk)
