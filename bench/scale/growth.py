"""How what the site reads all the time grows with its rows, and what a diagnosis takes of the disk."""

import random
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.models import Answer, Diagnosis, Platform, Question
from diagnosis.platforms.status import count_unfinished_by_status
from progress.models import Event, Stream
from progress.services import read_logs
from testing.data.diagnoses import make_platform, make_user

QUESTIONS_PER_DIAGNOSIS, PLATFORM_COUNT, EVENTS_PER_DIAGNOSIS = 7, 4, 60  # of each diagnosis: 28 answers
DIAGNOSES_PER_OWNER = 20  # diagnoses each
ANSWER_TEXT = "入门可以先看价格和壶嘴，山岚的细口壶出水稳，木石坊更便宜。" * 20  # 600 characters, as platforms say
BATCH_SIZE = 200
MEASURED_TABLES = ["diagnosis_diagnosis", "diagnosis_question", "diagnosis_answer", "progress_stream", "progress_event"]


@dataclass(frozen=True)
class GrowthMeasurement:
    """Rows in all, bytes of a diagnosis in tables and indexes, and the median milliseconds of each look-up."""

    rows: int
    bytes_per_diagnosis: float
    milliseconds: dict[str, float]


def create_diagnoses(count: int) -> list[Diagnosis]:
    """So many ended diagnoses with their answers and events; returns them, the oldest first."""
    platforms = [make_platform(f"p{number}") for number in range(PLATFORM_COUNT)]
    owners = [make_user(f"user-{number}") for number in range(-(-count // DIAGNOSES_PER_OWNER))]
    began, created = timezone.now() - timedelta(days=300), list[Diagnosis]()
    for first in range(0, count, BATCH_SIZE):
        batch = [
            _build_diagnosis(owners[number % len(owners)].pk, began + timedelta(minutes=number))
            for number in range(first, min(first + BATCH_SIZE, count))
        ]
        _bulk_insert(batch, platforms)
        created += batch
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return created


def _build_diagnosis(owner_id: int, at: datetime) -> Diagnosis:
    planned = QUESTIONS_PER_DIAGNOSIS * PLATFORM_COUNT
    stream = Stream(id=uuid.uuid4(), owner_id=owner_id, last_seq=EVENTS_PER_DIAGNOSIS, is_closed=True, closed_at=at)
    ended = {"started_at": at, "finished_at": at, "status": DiagnosisStatus.COMPLETED}
    return Diagnosis(
        owner_id=owner_id, stream=stream, brand="山岚", planned=planned, valid=planned, created_at=at, **ended
    )


def _bulk_insert(batch: list[Diagnosis], platforms: list[Platform]) -> None:
    Stream.objects.bulk_create(diagnosis.stream for diagnosis in batch)
    Diagnosis.objects.bulk_create(batch)
    questions = [
        Question(diagnosis=diagnosis, position=number, text=f"第{number}问：哪个手冲壶好？")
        for diagnosis in batch
        for number in range(QUESTIONS_PER_DIAGNOSIS)
    ]
    Question.objects.bulk_create(questions)
    answer_columns = {"state": AnswerState.VALID, "text": ANSWER_TEXT, "repeat": 1, "attempts": 1, "milliseconds": 9000}
    Answer.objects.bulk_create(
        Answer(
            diagnosis_id=one.diagnosis_id, question=one, platform=platform, answered_at=timezone.now(), **answer_columns
        )
        for one in questions
        for platform in platforms
    )
    event_data = {
        "answer": str(uuid.uuid4()),
        "question": str(uuid.uuid4()),
        "platform": "p1",
        "repeat": 1,
        "state": "valid",
    }
    Event.objects.bulk_create(
        Event(stream_id=diagnosis.stream_id, seq=seq, kind="result", data=event_data)
        for diagnosis in batch
        for seq in range(1, EVENTS_PER_DIAGNOSIS + 1)
    )


LOOKUPS: dict[str, Callable[[Diagnosis], object]] = {
    "a page of a user's history": lambda one: list(Diagnosis.objects.visible_to(one.owner)[:21]),
    "the log behind a cursor": lambda one: read_logs([(one.stream_id, EVENTS_PER_DIAGNOSIS - 10)]),
    "the answers of a diagnosis": lambda one: list(one.answers.all()),
    "what a run still has to ask": lambda one: list(one.answers.filter(state=AnswerState.PENDING)),
    "what has not ended, of all": lambda _one: count_unfinished_by_status(),
}


def measure_lookups(count: int, rounds: int = 50, seed: int = 1) -> GrowthMeasurement:
    """Fill an empty site with so many diagnoses and look each thing up for some of them."""
    some = random.Random(seed).sample(create_diagnoses(count), rounds)
    taken = {name: statistics.median(_time_lookup(look, one) for one in some) for name, look in LOOKUPS.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(oid)), sum(reltuples) FROM pg_class WHERE relname = ANY(%s)",
            [MEASURED_TABLES],
        )
        size, rows = cursor.fetchone()
    return GrowthMeasurement(int(rows), float(size) / count, taken)


def _time_lookup(lookup: Callable[[Diagnosis], object], one: Diagnosis) -> float:
    """Of the second time: what is asked often is in memory."""
    lookup(one)
    began = time.perf_counter()
    lookup(one)
    return (time.perf_counter() - began) * 1000


def time_admin_lists() -> dict[str, tuple[float, int]]:
    """{list: (milliseconds, queries)} of every list of the admin, the second time it is opened."""
    client = Client()
    operator = make_user("operator", is_staff=True, is_superuser=True)
    client.force_login(operator)  # type: ignore[arg-type]
    found = {}
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            began = time.perf_counter()
            response = client.get(path)
            taken = (time.perf_counter() - began) * 1000
        assert response.status_code == 200, path
        found[path] = (taken, len(queries))
    return found


def truncate_tables() -> None:
    """Make room for the next size."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE diagsite_user, progress_stream, diagnosis_platform CASCADE")
