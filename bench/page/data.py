"""An account with what the measured pages show: reports of several sizes, a history and a brand with runs."""

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from bench.report.speed import BRAND_NAMES, simulate_answers

if TYPE_CHECKING:
    from diagnosis.models import Diagnosis
    from diagsite.models import User

USER_NAME, PASSWORD = "bench-page", "only-of-the-page-bench"
PLATFORMS = 10
RIVALS = (*BRAND_NAMES[1:], "木石坊", "一盏", "云栖")
HOSTS, SOURCES_PER_ANSWER = 40, 3
WEEKLY_RUNS = 12


def create_user() -> "User":
    """Create the account that opens the pages."""
    from diagsite.models import User

    return User.objects.create_user(USER_NAME, password=PASSWORD)


def create_report(user: "User", answers: int, *, weeks_ago: int = 0) -> "Diagnosis":
    """Create an ended diagnosis with this number of answers (a multiple of 20) in the account's brand."""
    from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
    from diagnosis.choices import AnswerState, PlatformSurface, SourceOrigin, Ternary
    from diagnosis.models import Answer, Diagnosis, Platform, Source
    from diagnosis.orders.services import RequestedBrand
    from diagnosis.running import state_machine
    from testing.data.diagnoses import make_diagnosis, make_platform

    platforms = list(Platform.objects.filter(pk__startswith="page-")) or [
        make_platform(f"page-{number}", surface=PlatformSurface.SEARCH) for number in range(PLATFORMS)
    ]
    repeats = max(1, min(5, answers // (PLATFORMS * 20)))
    questions = [f"第 {number + 1} 问：三千元左右哪个牌子好？" for number in range(answers // (PLATFORMS * repeats))]
    rivals = [RequestedBrand(name) for name in RIVALS]
    diagnosis = make_diagnosis(
        user, platforms, questions=questions, brand=BRAND_NAMES[0], competitors=rivals, repeats=repeats
    )
    rng = random.Random(answers + weeks_ago)
    brands, rows = build_brand_spellings(diagnosis.brands.all()), list(diagnosis.answers.select_related("question"))
    sources = []
    for number, (row, text) in enumerate(zip(rows, simulate_answers(len(rows), rng), strict=True)):
        row.surface, row.search_happened = PlatformSurface.SEARCH, Ternary.YES
        if number % 20 == 19:
            row.state, row.error_code = AnswerState.FAILED, "NETWORK_TIMEOUT"
            continue
        row.state, row.text, row.model, row.milliseconds = AnswerState.VALID, text, "bench", rng.randrange(500, 9000)
        for name, value in compute_analysis_columns(text, brands, row.question.text).items():
            setattr(row, name, value)
        for position in range(SOURCES_PER_ANSWER):
            host = f"site{int(rng.paretovariate(1)) % HOSTS}.example"
            page = f"{host}/{rng.randrange(20)}"
            address = {"url": f"https://{page}", "url_raw": f"https://{page}", "page": page, "host": host}
            place = {"title": f"标题 {page}", "origin": SourceOrigin.CITATION, "cited": Ternary.YES, "spans": [[0, 5]]}
            sources.append(Source(answer=row, position=position, **address, **place))
    columns = [
        *("state", "text", "model", "milliseconds", "error_code", "surface", "search_happened"),
        *("mentions", "others", "discovered", "domains"),
    ]
    Answer.objects.bulk_update(rows, columns, batch_size=200)
    Source.objects.bulk_create(sources)
    valid = sum(row.state == AnswerState.VALID for row in rows)
    created = timezone.now() - timedelta(weeks=weeks_ago)
    Diagnosis.objects.filter(pk=diagnosis.pk).update(valid=valid, failed=len(rows) - valid, created_at=created)
    ended = state_machine.end_diagnosis(diagnosis.pk)
    assert ended
    return ended
