"""Answers that came without their question or their platform."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL, AnswerState
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.legacy.platforms import BLANK, UNKNOWN, platform_of_model
from diagnosis.models import Answer, Diagnosis, DiagnosisQuerySet, Platform, Question

LOST_QUESTION = "（原记录中没有问题）"

_BLANK_QUESTION = Exists(Question.objects.filter(diagnosis=OuterRef("pk"), text__regex=r"^\s*$"))
_BLANK_PLATFORM = Exists(Answer.objects.filter(diagnosis=OuterRef("pk"), platform=BLANK))
_COPIED = (
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


class BlankOrigin(DiagnosisDefect):
    """A migration of the origin's lost what an answer answers, or who gave it."""

    name = "blank_origin"
    wrong = "an answer without its question or its platform"
    mended = "it fills the gap of the order that it fits; what fits no gap is marked as unknown"

    def broken(self) -> DiagnosisQuerySet:
        """With a blank question, or an answer of the blank platform."""
        return repairable().filter(_BLANK_QUESTION | _BLANK_PLATFORM, status__in=FINAL)

    def mend(self, case: Case) -> None:
        """Find the place of each blank answer, then name what is left."""
        questions = {question.pk: question for question in case.questions}
        for answer in [one for one in case.answers if _is_blank(one, questions)]:
            gaps = [one for one in case.answers if _is_gap(one) and _fits(answer, one, questions)]
            if len(gaps) == 1:
                _move(case, answer, gaps[0])
            elif answer.platform_id == BLANK:
                _name_platform(case, answer)
        _name_questions(case)
        case.recount()
        case.redecide()
        if case.diagnosis.report is not None:
            case.rebuild_report()


def _is_blank(answer: Answer, questions: dict[UUID, Question]) -> bool:
    return answer.platform_id == BLANK or not questions[answer.question_id].text.strip()


def _is_gap(answer: Answer) -> bool:
    """Whether it was planned and never asked for."""
    is_unasked = answer.state == AnswerState.FAILED and answer.attempts == 0 and answer.answered_at is None
    return answer.state == AnswerState.PENDING or is_unasked


def _fits(answer: Answer, gap: Answer, questions: dict[UUID, Question]) -> bool:
    if _is_blank(gap, questions):
        return False
    knows_question = bool(questions[answer.question_id].text.strip())
    is_same_question = not knows_question or gap.question_id == answer.question_id
    platform = platform_of_model(answer.model) if answer.platform_id == BLANK else answer.platform_id
    return is_same_question and platform in ("", gap.platform_id)


def _move(case: Case, answer: Answer, gap: Answer) -> None:
    case.changes.set(gap, **{name: getattr(answer, name) for name in _COPIED})
    case.changes.delete(answer)
    case.answers.remove(answer)


def _name_platform(case: Case, answer: Answer) -> None:
    """By its model, else as unknown; a place that is taken already makes it one more repeat."""
    platform = _existing(platform_of_model(answer.model))
    taken = {
        one.repeat for one in case.answers if one.question_id == answer.question_id and one.platform_id == platform
    }
    repeat = next(number for number in range(1, len(taken) + 2) if number not in taken)
    case.changes.set(answer, platform_id=platform, repeat=repeat)


def _existing(platform: str) -> str:
    if platform and Platform.objects.filter(pk=platform).exists():
        return platform
    Platform.objects.get_or_create(pk=UNKNOWN, defaults={"name": "未知平台（历史数据）", "is_enabled": False})
    return UNKNOWN


def _name_questions(case: Case) -> None:
    """A question that nothing is left of goes; the others say that they are lost, or what the retried order said."""
    for question in [one for one in case.questions if not one.text.strip()]:
        if any(answer.question_id == question.pk for answer in case.answers):
            case.changes.set(question, text=next(_of_other_orders(case.diagnosis, question), LOST_QUESTION))
        else:
            case.changes.delete(question)
            case.questions.remove(question)


def _of_other_orders(diagnosis: Diagnosis, question: Question) -> Iterator[str]:
    """The text at the same place of the order that this one retries."""
    if diagnosis.retry_of_id:
        texts = Question.objects.filter(diagnosis=diagnosis.retry_of_id, position=question.position)
        yield from (text for text in texts.values_list("text", flat=True) if text.strip())
