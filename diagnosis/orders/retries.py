"""Retry a diagnosis: a new one that copies the stored answers and repeats only the failed calls."""

import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from django.db import IntegrityError
from django.utils.translation import gettext as _

from diagnosis.choices import AnswerState, ClientKind
from diagnosis.clients import get_client_kind
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Answer, Brand, Correction, Diagnosis, Question
from diagnosis.orders.quotas import check_quota
from diagnosis.orders.services import RequestContext, create_diagnosis_row, enqueue, find_by_idempotency_key
from diagnosis.platforms.availability import describe_obstacle, find_obstacle
from diagnosis.row_locks import brief_transaction
from diagnosis.running.reply_records import copy_reply_rows
from diagnosis.spending.estimates import check_budgets, plan_cost
from errors.exceptions import Conflict


def create_retry(source: Diagnosis, context: RequestContext) -> tuple[Diagnosis, bool]:
    """Create a diagnosis of the same owner that copies the stored answers and repeats only the failed calls.

    Returns it and whether it is new. Instead of a new one, returns the first one of a repeated idempotency key, a retry
    of the source that is unfinished, or one that has no failed answer left. Otherwise the new one continues the retry
    with the fewest failed answers. Raises DiagnosisRunning while the source runs, Conflict if the key was used for
    another request or no call failed on an available platform, QueueFull, TooManyUnfinished, BudgetExhausted, RowsBusy.
    """
    context = _act_for_owner(context, source)
    fingerprint = hashlib.sha256(f"retry:{source.pk}".encode()).hexdigest()
    try:
        with brief_transaction():
            return _find_or_create_retry(source, context, fingerprint)
    except IntegrityError:  # a concurrent request for another diagnosis has used the key
        find_by_idempotency_key(context, fingerprint)
        raise


def _find_or_create_retry(source: Diagnosis, context: RequestContext, fingerprint: str) -> tuple[Diagnosis, bool]:
    retries = _lock_retries(source)
    existing = find_by_idempotency_key(context, fingerprint)
    if existing:
        return existing, False
    source = Diagnosis.objects.select_related("owner").get(pk=source.pk)
    if not source.is_final:
        raise DiagnosisRunning
    running = next((retry for retry in retries if not retry.is_final), None)
    if running:
        return running, False
    latest = min([source, *reversed(retries)], key=lambda diagnosis: diagnosis.failed)
    if latest != source and not latest.failed:
        return latest, False
    check_quota(source.owner)
    return _create_retry_rows(latest, context, fingerprint), True


def _act_for_owner(context: RequestContext, source: Diagnosis) -> RequestContext:
    """Return the context of the source's owner. The key of another user is kept apart from those of the owner."""
    if context.owner.pk == source.owner_id:
        return context
    key = context.idempotency_key
    if key is not None:
        key = f"代:{hashlib.sha256(f'{context.owner.pk}:{key}'.encode()).hexdigest()}"
    return replace(context, owner=source.owner, idempotency_key=key)


def _lock_retries(source: Diagnosis) -> list[Diagnosis]:
    """Return all retries of the source, also indirect ones, oldest first.

    Locks the diagnosis that the source and its retries come from, so that concurrent requests create one retry.
    """
    root = source
    while root.retry_of:
        root = root.retry_of
    Diagnosis.objects.select_for_update(of=("self",)).get(pk=root.pk)
    retries, parents = list[Diagnosis](), [source]
    while parents:
        parents = list(Diagnosis.objects.filter(retry_of__in=parents).order_by("created_at", "pk"))
        retries += parents
    return retries


def _create_retry_rows(source: Diagnosis, context: RequestContext, fingerprint: str) -> Diagnosis:
    answers = list(source.answers.select_related("platform"))
    if len({answer.is_demo for answer in answers}) > 1:  # of an earlier version
        raise Conflict(fields={"id": _("这次诊断混有演示平台和真实平台，不能补问，请分别新建诊断。")})
    retried_ids = _find_retried_answers(answers, get_client_kind(source.owner))
    carried_over = [answer for answer in answers if answer.pk not in retried_ids]
    platforms = {answer.platform_id: answer.platform for answer in answers if answer.pk in retried_ids}
    calls = Counter(answer.platform_id for answer in answers if answer.pk in retried_ids)
    cost = plan_cost(platforms.values(), calls)
    check_budgets(cost, platforms, source.owner_id, source.schedule_id, source.workspace_id)
    diagnosis = create_diagnosis_row(
        context,
        workspace_id=source.workspace_id,
        panel_version_id=source.panel_version_id,
        names_version=source.names_version,
        brand=source.brand,
        panel=source.panel,
        is_demo=source.is_demo,
        repeats=source.repeats,
        planned=source.planned,
        valid=source.valid,
        filtered=source.filtered,
        failed=source.failed - len(retried_ids),
        carried_over=len(carried_over),
        retry_of=source,
        schedule_id=source.schedule_id,  # whose budget pays for it
        estimated_cost=cost.money,
        request_hash=fingerprint,
    )
    Brand.objects.bulk_create(
        Brand(
            diagnosis=diagnosis,
            name=brand.name,
            aliases=brand.aliases,
            sites=brand.sites,
            is_own=brand.is_own,
            position=brand.position,
        )
        for brand in source.brands.all()
    )
    questions = {
        question.pk: Question(
            diagnosis=diagnosis,
            position=question.position,
            text=question.text,
            is_about_brand=question.is_about_brand,
        )
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
            protocol=answer.platform.protocol,
            surface=answer.platform.surface,
        )
        for answer in answers
        if answer.pk in retried_ids
    ]
    copies: dict[uuid.UUID | None, uuid.UUID] = {answer.pk: uuid.uuid4() for answer in carried_over}
    for answer in carried_over:
        answer.pk, answer.is_carried_over = copies[answer.pk], True
    Answer.objects.bulk_create(retried + carried_over)
    copy_reply_rows(copies)
    _copy_corrections(source, diagnosis, copies)
    return enqueue(diagnosis)


def _find_retried_answers(answers: Sequence[Answer], client: ClientKind) -> set[uuid.UUID]:
    """Return the ids of the failed answers whose platform can be called. Raises Conflict if there is none."""
    failed = [answer for answer in answers if answer.state == AnswerState.FAILED]
    if not failed:
        raise Conflict(fields={"id": _("没有失败的回答，无需重试。")})
    platforms = {answer.platform_id: answer.platform for answer in failed}
    available = {pk for pk, platform in platforms.items() if find_obstacle(platform, client) is None}
    if not available:
        reasons = "；".join(
            f"{platform.name}：{describe_obstacle(platform, client)}" for platform in platforms.values()
        )
        raise Conflict(
            fields={
                "id": _("失败的平台现在都不能询问（%(reasons)s），请换平台，或等恢复后再补问。") % {"reasons": reasons}
            }
        )
    return {answer.pk for answer in failed if answer.platform_id in available}


def _copy_corrections(source: Diagnosis, diagnosis: Diagnosis, copies: dict[uuid.UUID | None, uuid.UUID]) -> None:
    """Copy the user's corrections: added aliases, and the decisions on answers that have a copy."""
    Correction.objects.bulk_create(
        Correction(
            diagnosis=diagnosis,
            kind=correction.kind,
            brand=correction.brand,
            answer_id=copies.get(correction.answer_id),
            start=correction.start,
            end=correction.end,
            alias=correction.alias,
            user_id=correction.user_id,
        )
        for correction in source.corrections.all()
        if correction.answer_id is None or correction.answer_id in copies
    )
