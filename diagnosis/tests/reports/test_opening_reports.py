"""A report of 1,000 answers opens in few queries, exports in little memory, and nobody sees an older one."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.choices import AnswerState, DiagnosisStatus
from diagnosis.models import Answer, Diagnosis
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.reports.service import build_report_from_database
from performance.cache import invalidate_tags
from testing.diagnosis_rows import make_diagnosis, make_platform, make_valid_result, run_and_end

MOST_QUERIES = 6
MEGABYTE = 1024 * 1024


@pytest.fixture
def large(owner: AbstractUser, request: pytest.FixtureRequest) -> Diagnosis:
    """1,000 answers, each judged and quoted, of 60 characters or as many as the test says."""
    length = getattr(request, "param", 60)
    platforms = [make_platform(f"p{number}") for number in range(10)]
    questions = [f"问题 {number}？" for number in range(20)]
    diagnosis = make_diagnosis(owner, platforms, questions=questions, competitors=[RequestedBrand("竞品1")], repeats=5)
    text = ("山岚不错，竞品1也好。" * length)[:length]
    verdict = {"brand": "山岚", "sentiment": "positive", "start": 0, "end": 4}
    Answer.objects.filter(diagnosis=diagnosis).update(
        state=AnswerState.VALID,
        text=text,
        model="model-1",
        mentions=[["山岚", 0, 2], ["竞品1", 5, 8]],
        verdicts=[verdict],
        answered_at=timezone.now(),
    )
    now, count = timezone.now(), diagnosis.planned
    assert count == 1000
    Diagnosis.objects.filter(pk=diagnosis.pk).update(
        status=DiagnosisStatus.COMPLETED, valid=count, finished_at=now, report=build_report_from_database(diagnosis)
    )
    return diagnosis


def _opened(client: Client, diagnosis: Diagnosis) -> dict[str, Callable[[], Any]]:
    """Each way to open the report whole, and whose eyes it is for."""
    link = client.post(f"/api/diagnoses/{diagnosis.pk}/shares", '{"days": 1}', content_type="application/json").json()
    visitor = Client(headers={"Accept-Language": "zh-CN"})
    return {
        "API": lambda: client.get(f"/api/diagnoses/{diagnosis.pk}/report"),
        "print": lambda: client.get(f"/diagnoses/{diagnosis.pk}/print/"),
        "shared": lambda: visitor.get(urlsplit(link["url"]).path),
    }


@pytest.mark.django_db
def test_each_way_to_open_a_large_report_takes_few_queries(
    client: Client,
    large: Diagnosis,
    django_assert_max_num_queries: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    for way, opened in _opened(client, large).items():
        with django_capture_on_commit_callbacks(execute=True):
            invalidate_tags(get_report_cache_tag(large.pk))
        with django_assert_max_num_queries(MOST_QUERIES, info=way):
            response = opened()
        assert response.status_code == 200
        if way != "API":
            assert response.content.count(b"<article") == 1000
            assert response.content.count(b"<q>") == 30


@pytest.mark.django_db
@pytest.mark.parametrize("large", [3000], indirect=True)
def test_a_large_export_holds_few_answers_in_memory(client: Client, large: Diagnosis) -> None:
    client.get(f"/api/diagnoses/{large.pk}/report")  # what is cached is not the export's
    for kind in ("csv", "xlsx"):
        tracemalloc.start()
        response = client.get(f"/api/diagnoses/{large.pk}/export.{kind}")
        size = sum(len(piece) for piece in _pieces(response))
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > (MEGABYTE if kind != "xlsx" else 50_000), kind
        # All answers at once are 6 MB of text alone, and as much again on their way into a file.
        assert peak < 5 * MEGABYTE, (kind, peak / MEGABYTE)


def _pieces(response: Any) -> Iterator[bytes]:
    yield from response.streaming_content


@pytest.fixture
def small(owner: AbstractUser) -> Diagnosis:
    return run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result("山岚不错。"))


@pytest.mark.django_db(transaction=True)
def test_a_correction_is_seen_at_once_wherever_a_report_is_shown(client: Client, small: Diagnosis) -> None:
    ways = _opened(client, small)
    seen = {
        "API": lambda body: json.loads(body)["brands"][0]["figures"]["mentions"],
        "print": lambda body: body.decode().count('<mark class="own">山岚</mark>'),
        "shared": lambda body: body.decode().count('<mark class="own">山岚</mark>'),
    }
    exports = [f"/api/diagnoses/{small.pk}/export.{kind}" for kind in ("json", "csv?of=figures")]

    def look() -> tuple[dict[str, int], list[bytes]]:
        shown = {way: seen[way](opened().content) for way, opened in ways.items()}
        document, figures = (client.get(address).getvalue() for address in exports)
        assert json.loads(document)["report"]["brands"][0]["figures"]["mentions"] == shown["API"]
        return shown, [document.partition(b'"report"')[2], figures]

    before, files = look()
    assert before == {"API": 1, "print": 1, "shared": 1}
    answer = small.answers.get()
    hit = {"kind": "reject", "answer": str(answer.pk), "brand": "山岚", "start": 0, "end": 2}
    corrections = f"/api/diagnoses/{small.pk}/corrections"
    said = client.post(corrections, json.dumps(hit), content_type="application/json").json()
    after, corrected = look()
    assert after == {"API": 0, "print": 0, "shared": 0}
    assert not any(one == other for one, other in zip(files, corrected, strict=True))
    client.delete(f"{corrections}/{said['id']}")
    assert look() == (before, files)
