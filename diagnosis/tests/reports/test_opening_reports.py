"""Opening reports of 1,000 answers: number of queries, memory of exports, and freshness after corrections."""

import json
import tracemalloc
from collections.abc import Callable
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
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end

MAX_QUERIES = 10  # with the membership of the workspace
MAX_PAGE_QUERIES = 20  # and the aliases, the corrections and the trend
MEGABYTE = 1024 * 1024


@pytest.fixture
def large(owner: AbstractUser, request: pytest.FixtureRequest) -> Diagnosis:
    """A diagnosis with 1,000 rated answers of 60 characters, or of the length given as parameter."""
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
        extraction=[verdict],
        answered_at=timezone.now(),
    )
    now, count = timezone.now(), diagnosis.planned
    assert count == 1000
    Diagnosis.objects.filter(pk=diagnosis.pk).update(
        status=DiagnosisStatus.COMPLETED, valid=count, finished_at=now, report=build_report_from_database(diagnosis)
    )
    return diagnosis


def _build_requests(client: Client, diagnosis: Diagnosis) -> dict[str, Callable[[], Any]]:
    """Return a function for each view of the whole report that requests it."""
    link = client.post(f"/api/diagnoses/{diagnosis.pk}/shares", '{"days": 1}', content_type="application/json").json()
    visitor = Client(headers={"Accept-Language": "zh-CN"})
    return {
        "API": lambda: client.get(f"/api/diagnoses/{diagnosis.pk}/report"),
        "print": lambda: client.get(f"/diagnoses/{diagnosis.pk}/print/"),
        "shared": lambda: visitor.get(urlsplit(link["url"]).path),
    }


@pytest.mark.django_db
def test_opening_a_large_report_takes_few_queries(
    client: Client,
    large: Diagnosis,
    django_assert_max_num_queries: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    for view, send in _build_requests(client, large).items():
        with django_capture_on_commit_callbacks(execute=True):
            invalidate_tags(get_report_cache_tag(large.pk))
        with django_assert_max_num_queries(MAX_QUERIES if view == "API" else MAX_PAGE_QUERIES, info=view):
            response = send()
        assert response.status_code == 200
        if view != "API":
            assert response.content.count(b"<article") == 1000
            assert response.content.count(b"<q>") == 30


@pytest.mark.django_db
@pytest.mark.parametrize("large", [3000], indirect=True)
def test_large_export_needs_little_memory(client: Client, large: Diagnosis) -> None:
    client.get(f"/api/diagnoses/{large.pk}/report")  # so that the cache does not count as memory of the export
    for kind in ("csv", "xlsx"):
        tracemalloc.start()
        response: Any = client.get(f"/api/diagnoses/{large.pk}/export.{kind}")
        size = sum(len(piece) for piece in response.streaming_content)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > (MEGABYTE if kind != "xlsx" else 50_000), kind
        # All answers together have 6 MB of text, and about twice that while they are formatted.
        assert peak < 5 * MEGABYTE, (kind, peak / MEGABYTE)


@pytest.fixture
def small(owner: AbstractUser) -> Diagnosis:
    return run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result("山岚不错。"))


@pytest.mark.django_db(transaction=True)
def test_correction_is_visible_immediately_everywhere(client: Client, small: Diagnosis) -> None:
    requests_by_view = _build_requests(client, small)
    count_by_view = {
        "API": lambda body: json.loads(body)["brands"][0]["figures"]["mentions"],
        "print": lambda body: body.decode().count('<mark class="own">山岚</mark>'),
        "shared": lambda body: body.decode().count('<mark class="own">山岚</mark>'),
    }
    exports = [f"/api/diagnoses/{small.pk}/export.{kind}" for kind in ("json", "csv?of=figures")]

    def read_all() -> tuple[dict[str, int], list[bytes]]:
        counts = {view: count_by_view[view](send().content) for view, send in requests_by_view.items()}
        document, figures = (client.get(address).getvalue() for address in exports)
        assert json.loads(document)["report"]["brands"][0]["figures"]["mentions"] == counts["API"]
        return counts, [document.partition(b'"report"')[2], figures]

    before, files = read_all()
    assert before == {"API": 1, "print": 1, "shared": 1}
    answer = small.answers.get()
    rejection = {"kind": "reject", "answer": str(answer.pk), "brand": "山岚", "start": 0, "end": 2}
    corrections = f"/api/diagnoses/{small.pk}/corrections"
    correction = client.post(corrections, json.dumps(rejection), content_type="application/json").json()
    after, corrected = read_all()
    assert after == {"API": 0, "print": 0, "shared": 0}
    assert not any(old == new for old, new in zip(files, corrected, strict=True))
    client.delete(f"{corrections}/{correction['id']}")
    assert read_all() == (before, files)
