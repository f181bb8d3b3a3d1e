"""Answers without their question or platform."""

from uuid import UUID

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.legacy.platforms import BLANK_PLATFORM_ID, UNKNOWN_PLATFORM_ID, detect_platform
from diagnosis.models import Answer, DiagnosisQuerySet, Platform, Question
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

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
    "extraction",
    "reason",
    "error_code",
    "error_detail",
    "attempts",
    "milliseconds",
    "answered_at",
)


class MissingOrigin(DiagnosisDefect):
    """A migration of the source system lost the questions or platforms of answers."""

    name = "blank_origin"
    description = gettext_lazy("回答缺少问题或平台")
    fix_description = gettext_lazy("归入唯一相符的计划回答，否则标为来源不明")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_BLANK_QUESTION | _BLANK_PLATFORM, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        questions = {question.pk: question for question in repair.questions}
        for answer in [answer for answer in repair.answers if _is_blank(answer, questions)]:
            gaps = [gap for gap in repair.answers if _fits_gap(answer, gap, questions)]
            if len(gaps) == 1:
                repair.changes.set(gaps[0], **{name: getattr(answer, name) for name in _COPIED_COLUMNS})
                repair.changes.delete(answer)
                repair.answers.remove(answer)
            elif answer.platform_id == BLANK_PLATFORM_ID:
                _assign_platform(repair, answer)
        # A blank question without answers is deleted; another gets the text of the retried diagnosis or a placeholder.
        retry_of = repair.diagnosis.retry_of_id
        retried_questions = Question.objects.filter(diagnosis=retry_of) if retry_of else Question.objects.none()
        retried_texts = dict(retried_questions.values_list("position", "text"))
        for question in [question for question in repair.questions if not question.text.strip()]:
            if any(answer.question_id == question.pk for answer in repair.answers):
                text = retried_texts.get(question.position, "")
                repair.changes.set(question, text=text if text.strip() else LOST_QUESTION_TEXT)
            else:
                repair.changes.delete(question)
                repair.questions.remove(question)
        repair.recompute_counts()
        repair.recompute_status()
        if repair.diagnosis.report is not None:
            repair.rebuild_report()


def _is_blank(answer: Answer, questions: dict[UUID, Question]) -> bool:
    return answer.platform_id == BLANK_PLATFORM_ID or not questions[answer.question_id].text.strip()


def _fits_gap(answer: Answer, gap: Answer, questions: dict[UUID, Question]) -> bool:
    """Return whether `gap` was planned but never asked, and may be the origin of the answer."""
    is_unasked = gap.state == AnswerState.PENDING or (
        gap.state == AnswerState.FAILED and gap.attempts == 0 and gap.answered_at is None
    )
    if not is_unasked or _is_blank(gap, questions):
        return False
    knows_question = bool(questions[answer.question_id].text.strip())
    is_same_question = not knows_question or gap.question_id == answer.question_id
    platform = detect_platform(answer.model) if answer.platform_id == BLANK_PLATFORM_ID else answer.platform_id
    return is_same_question and platform in ("", gap.platform_id)


def _assign_platform(repair: DiagnosisRepair, answer: Answer) -> None:
    """Set the platform of its model, or the unknown one, with the first free repeat."""
    platform = detect_platform(answer.model)
    if not platform or not Platform.objects.filter(pk=platform).exists():
        platform = UNKNOWN_PLATFORM_ID
        Platform.objects.get_or_create(pk=platform, defaults={"name": "未知平台（历史数据）", "is_enabled": False})
    taken = {
        other.repeat
        for other in repair.answers
        if other.question_id == answer.question_id and other.platform_id == platform
    }
    repeat = next(number for number in range(1, len(taken) + 2) if number not in taken)
    repair.changes.set(answer, platform_id=platform, repeat=repeat)
