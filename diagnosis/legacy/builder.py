"""Build the rows of an imported diagnosis, including its defects, which `repair_history` finds and fixes."""

import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import FINAL_STATUSES, AnswerState, DiagnosisStatus, FailureReason
from diagnosis.exceptions import ERROR_CODES_BY_REASON
from diagnosis.legacy.parser import ParsedAnswer, ParsedDiagnosis
from diagnosis.legacy.platforms import PlatformResolver
from diagnosis.models import Answer, Brand, Diagnosis, Question
from diagnosis.orders.services import DiagnosisRequest, RequestedBrand
from diagnosis.reports.service import build_report_from_rows
from diagnosis.running.state_machine import ERROR_CODES_BY_STATUS
from diagnosis.trends.panels import compute_panel_key
from errors.placeholders import clean_text
from progress.models import Stream

LEGACY_UUID_NAMESPACE = uuid.UUID("6d0f2c1e-6f0a-4e55-9c2b-8f9f6f2f7c11")


@dataclass
class DiagnosisRows:
    """The unsaved rows of a diagnosis."""

    diagnosis: Diagnosis
    brands: list[Brand] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def add_answers(self, parsed: ParsedDiagnosis, platforms: PlatformResolver) -> None:
        """Add an answer for each parsed one, and a pending answer for each that was requested and is missing."""
        texts = [text[:500] for text in parsed.questions]
        texts = list(dict.fromkeys([*texts, *(answer.question for answer in parsed.answers)]))
        self.questions = [
            Question(diagnosis=self.diagnosis, position=position, text=text) for position, text in enumerate(texts)
        ]
        by_text = {question.text: question for question in self.questions}
        taken_repeats: dict[tuple[str, str], set[int]] = {}
        spellings = build_brand_spellings(self.brands)
        for parsed_answer in parsed.answers:
            platform = platforms.resolve(parsed_answer.platform)
            taken = taken_repeats.setdefault((parsed_answer.question, platform), set())
            repeat = parsed_answer.repeat
            if not repeat or repeat in taken:
                repeat = next(number for number in itertools.count(1) if number not in taken)
            taken.add(repeat)
            answer = _build_answer(parsed_answer, spellings)
            answer.diagnosis, answer.question = self.diagnosis, by_text[parsed_answer.question]
            answer.platform_id, answer.repeat = platform, repeat
            self.answers.append(answer)
        requested_platforms = [platforms.resolve(name) for name in parsed.platforms]
        for question, platform in itertools.product(
            (text[:500] for text in parsed.questions), dict.fromkeys(requested_platforms)
        ):
            for repeat in set(range(1, self.diagnosis.repeats + 1)) - taken_repeats.get((question, platform), set()):
                self.answers.append(
                    Answer(diagnosis=self.diagnosis, question=by_text[question], platform_id=platform, repeat=repeat)
                )

    def set_outcome(self, parsed: ParsedDiagnosis) -> None:
        """Set the counts, the status, the event stream and, if it has ended, the end and the report."""
        states = Counter(answer.state for answer in self.answers)
        diagnosis = self.diagnosis
        diagnosis.planned = len(self.answers)
        diagnosis.valid = states[AnswerState.VALID]
        diagnosis.failed, diagnosis.filtered = states[AnswerState.FAILED], states[AnswerState.FILTERED]
        # Without a planned answer, nothing was asked.
        fallback_status = DiagnosisStatus.ASKING if self.answers else DiagnosisStatus.QUEUED
        status = parsed.status or fallback_status
        diagnosis.status = fallback_status if status not in FINAL_STATUSES else status
        diagnosis.stream = Stream(
            id=uuid.uuid5(LEGACY_UUID_NAMESPACE, str(diagnosis.pk)),
            owner_id=diagnosis.owner_id,
            created_at=diagnosis.created_at,
        )
        if diagnosis.status not in FINAL_STATUSES:
            return
        times = [answer.answered_at for answer in self.answers if answer.answered_at]
        last_activity_at = max([*times, diagnosis.started_at or diagnosis.created_at])
        diagnosis.finished_at = parsed.times["finished_at"].at if "finished_at" in parsed.times else last_activity_at
        diagnosis.stream.is_closed, diagnosis.stream.closed_at = True, diagnosis.finished_at
        code = ERROR_CODES_BY_STATUS.get(DiagnosisStatus(diagnosis.status))
        diagnosis.error_code = code.value if code else ""
        if parsed.has_report:
            diagnosis.report = build_report_from_rows(diagnosis, self.brands, self.questions, self.answers)


def build_diagnosis_rows(
    parsed: ParsedDiagnosis, source_name: str, owner_id: int, platforms: PlatformResolver, *, fallback_time: datetime
) -> DiagnosisRows:
    """Build the rows of a parsed diagnosis.

    Its id follows from `source_name`, its table and key in the export. `fallback_time` is used if it has no times.
    """
    created_at = parsed.times["created_at"].at if "created_at" in parsed.times else parsed.earliest_time
    diagnosis = Diagnosis(
        id=uuid.uuid5(LEGACY_UUID_NAMESPACE, source_name),
        owner_id=owner_id,
        brand=parsed.brand,
        is_imported=True,
        repeats=min(parsed.repeats, 100),
        created_at=created_at or fallback_time,
        started_at=parsed.times["started_at"].at if "started_at" in parsed.times else None,
    )
    rows = DiagnosisRows(diagnosis)
    names = [parsed.brand, *parsed.competitors]
    rows.brands = [
        Brand(diagnosis=diagnosis, name=brand, is_own=position == 0, position=position)
        for position, brand in enumerate(names)
    ]
    rows.add_answers(parsed, platforms)
    rows.set_outcome(parsed)
    request = DiagnosisRequest(
        RequestedBrand(parsed.brand),
        parsed.questions or list(dict.fromkeys(answer.question for answer in parsed.answers)),
        [platforms.resolve(name) for name in parsed.platforms],
        [RequestedBrand(name) for name in parsed.submitted],
        parsed.repeats,
    )
    diagnosis.request_hash = request.fingerprint()
    platform_ids = {answer.platform_id for answer in rows.answers}
    diagnosis.panel = compute_panel_key(diagnosis.brand, (question.text for question in rows.questions), platform_ids)
    return rows


def _build_answer(parsed_answer: ParsedAnswer, spellings: list[BrandSpellings]) -> Answer:
    columns: dict[str, Any] = {
        "text": parsed_answer.text,
        "model": parsed_answer.model,
        "milliseconds": parsed_answer.milliseconds,
        "answered_at": parsed_answer.answered_at.at if parsed_answer.answered_at else None,
        "attempts": 1,
    }
    if parsed_answer.is_ok:
        analysis = compute_analysis_columns(parsed_answer.text, spellings, parsed_answer.question)
        return Answer(state=AnswerState.VALID, **columns, **analysis)
    state = AnswerState.FILTERED if parsed_answer.reason == FailureReason.FILTERED else AnswerState.FAILED
    detail = clean_text(parsed_answer.error, 500)
    return Answer(
        state=state,
        reason=parsed_answer.reason,
        error_code=ERROR_CODES_BY_REASON[parsed_answer.reason].value,
        error_detail=detail,
        **columns,
    )


def save_diagnosis_rows(built: Sequence[DiagnosisRows]) -> None:
    """Insert the rows of diagnoses."""
    Stream.objects.bulk_create(rows.diagnosis.stream for rows in built)
    Diagnosis.objects.bulk_create(rows.diagnosis for rows in built)
    Brand.objects.bulk_create(brand for rows in built for brand in rows.brands)
    Question.objects.bulk_create(question for rows in built for question in rows.questions)
    Answer.objects.bulk_create((answer for rows in built for answer in rows.answers), batch_size=1000)
