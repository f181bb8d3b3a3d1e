"""Time to compute the report of 1,000 answers with 8,000 sources, and to serve a page of its sources.

python -m bench.sources.speed
"""

import random
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements

if TYPE_CHECKING:
    from diagnosis.models import Diagnosis

ANSWERS, SOURCES_PER_ANSWER = 1000, 8
HOSTS, PAGES_PER_HOST = 120, 25
ROUNDS = 7


def _create_diagnosis() -> "Diagnosis":
    """Create a diagnosis of 20 questions x 10 platforms x 5 repeats, all answered with a search."""
    from diagnosis.choices import AnswerState, DiagnosisStatus, PlatformSurface, SourceOrigin, Ternary
    from diagnosis.models import Answer, Diagnosis, Source
    from diagnosis.orders.services import RequestedBrand
    from testing.data.diagnoses import make_diagnosis, make_platform, make_user

    rng = random.Random(1)
    platforms = [make_platform(f"p{number}", surface=PlatformSurface.SEARCH) for number in range(10)]
    questions = [f"第 {number} 问：哪个牌子好？" for number in range(20)]
    diagnosis = make_diagnosis(
        make_user("bench-sources"), platforms, questions=questions, competitors=[RequestedBrand("木石坊")], repeats=5
    )
    answers = list(diagnosis.answers.all())
    sources = []
    for answer in answers:
        answer.state, answer.text, answer.model = AnswerState.VALID, "山岚不错。" * 40, "bench"
        answer.search_happened = Ternary.YES
        answer.mentions = [["山岚", 0, 2, True]] if rng.random() < 0.5 else [["木石坊", 0, 3, True]]
        for position in range(SOURCES_PER_ANSWER):
            host = f"site{int(rng.paretovariate(1)) % HOSTS}.example"
            page = f"{host}/{rng.randrange(PAGES_PER_HOST)}"
            sources.append(
                Source(
                    answer=answer,
                    position=position,
                    url=f"https://{page}",
                    url_raw=f"https://{page}",
                    page=page,
                    host=host,
                    title=f"标题 {page}",
                    origin=SourceOrigin.CITATION,
                    cited=rng.choice([Ternary.YES, Ternary.NO]),
                    spans=[[0, 5]],
                )
            )
    columns = ["state", "text", "model", "search_happened", "mentions"]
    Answer.objects.bulk_update(answers, columns, batch_size=200)
    Source.objects.bulk_create(sources)
    Diagnosis.objects.filter(pk=diagnosis.pk).update(status=DiagnosisStatus.COMPLETED, valid=len(answers))
    return Diagnosis.objects.get(pk=diagnosis.pk)


def measure_speed() -> list[BenchmarkResult]:
    """Measure both on one diagnosis."""
    from django.test import Client

    from diagnosis.reports.service import build_report_from_database

    diagnosis = _create_diagnosis()
    client = Client()
    client.force_login(diagnosis.owner)

    def read_page() -> None:
        response = client.get(f"/api/diagnoses/{diagnosis.pk}/sources")
        assert len(response.json()["items"]) == 50, response.content[:500]

    [surface] = build_report_from_database(diagnosis)["sources"]
    assert surface["answers"] == ANSWERS
    report_seconds = _get_median_seconds(lambda: build_report_from_database(diagnosis))
    page_seconds = _get_median_seconds(read_page)
    return [
        BenchmarkResult(
            f"report of {ANSWERS:,} answers with {ANSWERS * SOURCES_PER_ANSWER:,} sources, computed",
            "< 1 s",
            f"{report_seconds:.2f} s",
            report_seconds < 1,
        ),
        BenchmarkResult(
            "page of its sources, at the server", "< 300 ms", f"{page_seconds * 1000:.0f} ms", page_seconds < 0.3
        ),
    ]


def _get_median_seconds(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def main() -> int:
    """Run the measurements."""
    start_bench_database()
    return run_measurements("sources-speed", [("report and page", measure_speed)])


if __name__ == "__main__":
    sys.exit(main())
