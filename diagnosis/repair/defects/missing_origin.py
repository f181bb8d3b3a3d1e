"""Answers that came without their question or their platform."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.legacy.platforms import BLANK_PLATFORM_ID, UNKNOWN_PLATFORM_ID, detect_platform
from diagnosis.models import Answer, Diagnosis, DiagnosisQuerySet, Platform, Question
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

LOST_QUESTION_TEXT = "（原记录中没有问题）"

_BLANK_QUESTION = Exists(Question.objects.filter(diagnosis=OuterRef("pk"), text__regex=r"^\s*$"))
_BLANK_PLATFORM = Exists(Answer.objects.filter(diagnosis=OuterRef("pk"), platform=BLANK_PLATFORM_ID))
_COPIED_COLUMNS = (
    "state",
    "text",
    "model",
    "mentions",
    "others",
    "domains",
    "verdicts",
    "reason",
    "error_code",
    "error_detail",
    "attempts",
    "milliseconds",
    "answered_at",
)


class MissingOrigin(DiagnosisDefect):
    """A migration of the origin's lost what an answer answers, or who gave it."""

    name = "blank_origin"
    description = "an answer without its question or its platform"
    fix_description = "it fills the gap of the order that it fits; what fits no gap is marked as unknown"

    def find_affected(self) -> DiagnosisQuerySet:
        """With a blank question, or an answer of the blank platform."""
        return get_repairable_diagnoses().filter(_BLANK_QUESTION | _BLANK_PLATFORM, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """Find the place of each blank answer, then name what is left."""
        questions = {question.pk: question for question in repair.questions}
        for answer in [one for one in repair.answers if _is_blank(one, questions)]:
            gaps = [one for one in repair.answers if _is_gap(one) and _fits_gap(answer, one, questions)]
            if len(gaps) == 1:
                _move_answer_to_gap(repair, answer, gaps[0])
            elif answer.platform_id == BLANK_PLATFORM_ID:
                _assign_platform(repair, answer)
        _fill_or_delete_blank_questions(repair)
        repair.recompute_counts()
        repair.recompute_status()
        if repair.diagnosis.report is not None:
            repair.rebuild_report()


def _is_blank(answer: Answer, questions: dict[UUID, Question]) -> bool:
    return answer.platform_id == BLANK_PLATFORM_ID or not questions[answer.question_id].text.strip()


def _is_gap(answer: Answer) -> bool:
    """Whether it was planned and never asked for."""
    is_unasked = answer.state == AnswerState.FAILED and answer.attempts == 0 and answer.answered_at is None
    return answer.state == AnswerState.PENDING or is_unasked


def _fits_gap(answer: Answer, gap: Answer, questions: dict[UUID, Question]) -> bool:
    if _is_blank(gap, questions):
        return False
    knows_question = bool(questions[answer.question_id].text.strip())
    is_same_question = not knows_question or gap.question_id == answer.question_id
    platform = detect_platform(answer.model) if answer.platform_id == BLANK_PLATFORM_ID else answer.platform_id
    return is_same_question and platform in ("", gap.platform_id)


def _move_answer_to_gap(repair: DiagnosisRepair, answer: Answer, gap: Answer) -> None:
    repair.changes.set(gap, **{name: getattr(answer, name) for name in _COPIED_COLUMNS})
    repair.changes.delete(answer)
    repair.answers.remove(answer)


def _assign_platform(repair: DiagnosisRepair, answer: Answer) -> None:
    """By its model, else as unknown; a place that is taken already makes it one more repeat."""
    platform = _get_existing_or_unknown_platform(detect_platform(answer.model))
    taken = {
        one.repeat for one in repair.answers if one.question_id == answer.question_id and one.platform_id == platform
    }
    repeat = next(number for number in range(1, len(taken) + 2) if number not in taken)
    repair.changes.set(answer, platform_id=platform, repeat=repeat)


def _get_existing_or_unknown_platform(platform: str) -> str:
    if platform and Platform.objects.filter(pk=platform).exists():
        return platform
    Platform.objects.get_or_create(
        pk=UNKNOWN_PLATFORM_ID, defaults={"name": "未知平台（历史数据）", "is_enabled": False}
    )
    return UNKNOWN_PLATFORM_ID


def _fill_or_delete_blank_questions(repair: DiagnosisRepair) -> None:
    """A question that nothing is left of goes; the others say that they are lost, or what the retried order said."""
    for question in [one for one in repair.questions if not one.text.strip()]:
        if any(answer.question_id == question.pk for answer in repair.answers):
            repair.changes.set(
                question, text=next(_iter_texts_of_retried_diagnosis(repair.diagnosis, question), LOST_QUESTION_TEXT)
            )
        else:
            repair.changes.delete(question)
            repair.questions.remove(question)


def _iter_texts_of_retried_diagnosis(diagnosis: Diagnosis, question: Question) -> Iterator[str]:
    """The text at the same place of the order that this one retries."""
    if diagnosis.retry_of_id:
        texts = Question.objects.filter(diagnosis=diagnosis.retry_of_id, position=question.position)
        yield from (text for text in texts.values_list("text", flat=True) if text.strip())
