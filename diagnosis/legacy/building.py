"""A diagnosis of an export as rows of ours, with whatever is wrong with it: repair_history finds and mends that."""

import itertools
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from diagnosis.choices import FINAL, AnswerState, Reason, Status
from diagnosis.exceptions import CODES
from diagnosis.legacy.parsing import ParsedAnswer, ParsedDiagnosis, earliest
from diagnosis.legacy.platforms import Platforms
from diagnosis.mentions import BrandNames
from diagnosis.models import Answer, Brand, Diagnosis, Question
from diagnosis.orders import BrandOrder, Order
from diagnosis.panels import panel_of
from diagnosis.reporting import analysis_columns, brand_names, report_of
from diagnosis.transitions import END_CODES
from errors.placeholders import clean_text
from progress.models import Stream

MOST_ANSWERS = 2000
NAMESPACE = uuid.UUID("6d0f2c1e-6f0a-4e55-9c2b-8f9f6f2f7c11")


@dataclass
class Built:
    """The rows of one diagnosis, not yet stored."""

    diagnosis: Diagnosis
    brands: list[Brand] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def build_diagnosis(
    parsed: ParsedDiagnosis, name: str, owner_id: int, platforms: Platforms, *, otherwise_at: datetime
) -> Built:
    """name: what it is in the export, from which its id follows. otherwise_at: when no time is written down at all."""
    created_at = parsed.times["created_at"].at if "created_at" in parsed.times else earliest(parsed) or otherwise_at
    diagnosis = Diagnosis(
        id=uuid.uuid5(NAMESPACE, name),
        owner_id=owner_id,
        brand=parsed.brand,
        is_imported=True,
        repeats=min(parsed.repeats, 100),
        created_at=created_at,
        started_at=parsed.times["started_at"].at if "started_at" in parsed.times else None,
    )
    built = Built(diagnosis)
    names = [parsed.brand, *parsed.competitors]
    built.brands = [
        Brand(diagnosis=diagnosis, name=brand, is_own=place == 0, position=place) for place, brand in enumerate(names)
    ]
    _plan(built, parsed, platforms)
    _count(built, parsed)
    _end(built, parsed)
    diagnosis.request_hash = _order(parsed, platforms).fingerprint()
    asked = {answer.platform_id for answer in built.answers}
    diagnosis.panel = panel_of(diagnosis.brand, (question.text for question in built.questions), asked)
    return built


def _order(parsed: ParsedDiagnosis, platforms: Platforms) -> Order:
    return Order(
        BrandOrder(parsed.brand),
        parsed.questions or list(dict.fromkeys(answer.question for answer in parsed.answers)),
        [platforms.find(name) for name in parsed.platforms],
        [BrandOrder(name) for name in parsed.submitted],
        parsed.repeats,
    )


def _plan(built: Built, parsed: ParsedDiagnosis, platforms: Platforms) -> None:
    """One answer for each that is there, and a pending one for each that was ordered and is not."""
    texts = [text[:500] for text in parsed.questions]
    texts = list(dict.fromkeys([*texts, *(answer.question for answer in parsed.answers)]))
    built.questions = [
        Question(diagnosis=built.diagnosis, position=place, text=text) for place, text in enumerate(texts)
    ]
    by_text = {question.text: question for question in built.questions}
    places: dict[tuple[str, str], set[int]] = {}
    spellings = brand_names(built.brands)
    for one in parsed.answers:
        platform = platforms.find(one.platform)
        taken = places.setdefault((one.question, platform), set())
        repeat = one.repeat if one.repeat and one.repeat not in taken else _free(taken)
        taken.add(repeat)
        answer = _answer(one, spellings)
        answer.diagnosis, answer.question = built.diagnosis, by_text[one.question]
        answer.platform_id, answer.repeat = platform, repeat
        built.answers.append(answer)
    ordered = [platforms.find(name) for name in parsed.platforms]
    for question, platform in itertools.product((text[:500] for text in parsed.questions), dict.fromkeys(ordered)):
        for repeat in set(range(1, built.diagnosis.repeats + 1)) - places.get((question, platform), set()):
            built.answers.append(
                Answer(diagnosis=built.diagnosis, question=by_text[question], platform_id=platform, repeat=repeat)
            )


def _free(taken: set[int]) -> int:
    return next(number for number in itertools.count(1) if number not in taken)


def _answer(one: ParsedAnswer, spellings: list[BrandNames]) -> Answer:
    columns: dict[str, Any] = {
        "text": one.text,
        "model": one.model,
        "milliseconds": one.milliseconds,
        "answered_at": one.answered_at.at if one.answered_at else None,
        "attempts": 1,
    }
    if one.is_ok:
        found = analysis_columns(one.text, spellings, one.question)
        return Answer(state=AnswerState.VALID, **columns, **found)
    state = AnswerState.FILTERED if one.reason == Reason.FILTERED else AnswerState.FAILED
    detail = clean_text(one.error, 500)
    return Answer(state=state, reason=one.reason, error_code=CODES[one.reason].value, error_detail=detail, **columns)


def _count(built: Built, parsed: ParsedDiagnosis) -> None:
    states = Counter(answer.state for answer in built.answers)
    diagnosis = built.diagnosis
    diagnosis.planned = len(built.answers)
    diagnosis.valid = states[AnswerState.VALID]
    diagnosis.failed, diagnosis.filtered = states[AnswerState.FAILED], states[AnswerState.FILTERED]
    # Without a single answer planned, nothing was ever asked.
    unknown = Status.ASKING if built.answers else Status.QUEUED
    status = parsed.status or unknown
    diagnosis.status = unknown if status not in FINAL else status


def _end(built: Built, parsed: ParsedDiagnosis) -> None:
    diagnosis = built.diagnosis
    diagnosis.stream = Stream(
        id=uuid.uuid5(NAMESPACE, str(diagnosis.pk)), owner_id=diagnosis.owner_id, created_at=diagnosis.created_at
    )
    if diagnosis.status not in FINAL:
        return
    times = [answer.answered_at for answer in built.answers if answer.answered_at]
    last = max([*times, diagnosis.started_at or diagnosis.created_at])
    diagnosis.finished_at = parsed.times["finished_at"].at if "finished_at" in parsed.times else last
    diagnosis.stream.is_closed, diagnosis.stream.closed_at = True, diagnosis.finished_at
    code = END_CODES.get(Status(diagnosis.status))
    diagnosis.error_code = code.value if code else ""
    if parsed.has_report:
        diagnosis.report = report_of(diagnosis, built.brands, built.questions, built.answers)
