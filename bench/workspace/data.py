"""A brand with many runs: a few made by the product's code, the others copies of their rows made in SQL."""

from typing import Any

from django.db import connection, models
from django.db.models import Value
from django.db.models.functions import Concat

from bench.page.data import create_report
from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Brand, Diagnosis, Question, RunFigure, RunSummary, Source, Workspace
from diagsite.models import User
from progress.models import Stream

# Models with the path to their diagnosis, in the order in which rows can be inserted.
COPIED_MODELS: list[tuple[type[models.Model], str]] = [
    (Stream, "t.id IN (SELECT stream_id FROM diagnosis_diagnosis WHERE id = %s)"),
    (Diagnosis, "t.id = %s"),
    (Brand, "t.diagnosis_id = %s"),
    (Question, "t.diagnosis_id = %s"),
    (Answer, "t.diagnosis_id = %s"),
    (Source, "t.answer_id IN (SELECT id FROM diagnosis_answer WHERE diagnosis_id = %s)"),
    (RunSummary, "t.diagnosis_id = %s"),
    (RunFigure, "t.diagnosis_id = %s"),
]
COPIED_IDS = (Stream, Diagnosis, Question, Answer)
ORIGINALS = 4
# A name in the answers to a quarter of the questions, which counts for no brand yet.
NEW_SPELLING, SPELLED_QUESTIONS = "Benchfruit", 5


def create_runs(user: User, *, runs: int, answers: int) -> Workspace:
    """Create a workspace with this many ended runs, a day apart."""
    originals = [create_report(user, answers, weeks_ago=number) for number in reversed(range(ORIGINALS))]
    spelled = Answer.objects.filter(state=AnswerState.VALID, question__position__lt=SPELLED_QUESTIONS)
    spelled.update(text=Concat("text", Value(f"\n也可以看看{NEW_SPELLING}。")))
    for original in originals:
        _copy_diagnosis(original, -(-runs // ORIGINALS) - 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    workspace = originals[0].workspace
    assert workspace
    return workspace


def _copy_diagnosis(original: Diagnosis, copies: int) -> None:
    with connection.cursor() as cursor:
        for model, condition in COPIED_MODELS:
            fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
            columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
            values = ", ".join(_build_value(field) for field in fields)
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, generate_series(1, %s) copy_number "
                f"WHERE {condition}",
                [copies, original.pk],
            )


def _build_value(field: models.Field[Any, Any]) -> str:
    """Return the expression of a column of a copy: own ids, ids of copies, earlier times."""
    column = f"t.{connection.ops.quote_name(str(field.column))}"
    target = field.related_model if field.is_relation else field.model if field.primary_key else None
    if target in COPIED_IDS:
        return f"md5({column}::text || copy_number)::uuid"
    return f"{column} - copy_number * interval '28 days'" if field.name == "created_at" else column
