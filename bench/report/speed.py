"""Duration of the report of the largest possible diagnosis, and of the analysis of 10,000 answers."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from bench.harness import BenchmarkResult, get_peak_memory_megabytes
from diagnosis.analysis.mentions import BrandSpellings, analyse_text

if TYPE_CHECKING:
    from diagnosis.models import Diagnosis

ANSWER_COUNT, CHARACTERS_PER_ANSWER = 10_000, 2_000
BRAND_NAMES = ("苹果", "小米", "华为", "理想", "美的", "海尔", "大众", "山岚")
SENTENCES = (
    "如果预算在三千元左右，{0}的手机续航和拍照都比较均衡，系统更新也及时。",
    "{0}在售后网点上占优，{1}则胜在价格，两家的旗舰店都支持以旧换新。",
    "不少用户反映{0}的做工扎实，但新款的噪音比上一代略大，介意的话可以看看{1}。",
    "需要提醒的是，参数只是参考，实际体验和房间大小、使用习惯都有关系。",
    "详细评测可以看 https://www.example.com/review/{2} ，里面有完整的对比表格。",
    "早餐可以喝小米粥，饭后吃个苹果，这和品牌没有关系，老板娘也这么说。",
    "总体来说，没有绝对的好坏，建议先到门店体验再下单，避免冲动消费。\n",
)


def simulate_answers(count: int, rng: random.Random) -> Iterator[str]:
    """Yield texts of 2,000 characters similar to answers of platforms."""
    for number in range(count):
        pieces: list[str] = []
        while sum(map(len, pieces)) < CHARACTERS_PER_ANSWER:
            pieces.append(rng.choice(SENTENCES).format(rng.choice(BRAND_NAMES), rng.choice(BRAND_NAMES), number))
        yield "".join(pieces)[:CHARACTERS_PER_ANSWER]


def measure_analysis(count: int = ANSWER_COUNT) -> BenchmarkResult:
    """Measure the analysis of 10,000 answers of 2,000 characters on one core."""
    brands = [BrandSpellings(name, [name]) for name in BRAND_NAMES]
    analyse_text("", brands)  # loads the list of known brands, once per process
    before, cpu_seconds, mention_count = get_peak_memory_megabytes(), 0.0, 0
    for text in simulate_answers(count, random.Random(1)):
        started = time.process_time()
        mention_count += len(analyse_text(text, brands, "哪个牌子好？").mentions)
        cpu_seconds += time.process_time() - started
    added_mb = get_peak_memory_megabytes() - before
    measured = f"{cpu_seconds:.1f} s, {mention_count:,} mentions, {added_mb:.0f} MB more memory"
    return BenchmarkResult(
        f"analysis of {count:,} answers of 2,000 characters",
        "< 60 s, memory bounded",
        measured,
        cpu_seconds < 60 and added_mb < 50,
    )


REPEATED_TEXTS = ("完美团队", "山岚、", "大众大众点评", "On and ", "**苹果**", "| 小米 |\n", "https://a.example/")
REPEATED_CHARACTERS = 20_000


def measure_repetition() -> BenchmarkResult:
    """Measure the analysis of answers that repeat a short text, as a model does that has lost its way."""
    brands = [BrandSpellings(name, [name]) for name in (*BRAND_NAMES, "完美", "美团", "On")]
    slowest = max(
        (_get_median_seconds(partial(analyse_text, text, brands, "哪个牌子好？"), clock=time.process_time), text[:8])
        for text in ((repeated * REPEATED_CHARACTERS)[:REPEATED_CHARACTERS] for repeated in REPEATED_TEXTS)
    )
    return BenchmarkResult(
        f"analysis of {REPEATED_CHARACTERS:,} characters of repetition",
        "< 100 ms",
        f"{slowest[0] * 1000:.0f} ms (slowest: {slowest[1]!r})",
        slowest[0] < 0.1,
    )


def measure_report() -> list[BenchmarkResult]:
    """Measure the report of 20 questions x 10 platforms x 5 repeats, computed and cached."""
    from diagnosis.models import Diagnosis
    from diagnosis.reports import cache
    from diagnosis.reports.service import build_report_from_database
    from performance.cache import invalidate_tags

    diagnosis = _create_largest_diagnosis()
    computed = _get_median_seconds(lambda: build_report_from_database(diagnosis))

    def read() -> cache.CachedReport:
        return cache.get_cached_report(diagnosis.pk, "zh-hans")

    def load_uncached() -> None:
        invalidate_tags(cache.get_report_cache_tag(diagnosis.pk))
        read()

    # Like a stored report of an older version: computed and serialized on reading.
    Diagnosis.objects.filter(pk=diagnosis.pk).update(report={})
    uncached_seconds = _get_median_seconds(load_uncached)
    cached_seconds = _get_median_seconds(read, times=50)
    size = len(read()["body"]) / 1024
    return [
        BenchmarkResult(
            "report of 1,000 answers computed",
            "< 1 s",
            f"{computed:.3f} s; as read {uncached_seconds:.3f} s",
            computed < 1,
        ),
        BenchmarkResult(
            "the same served from the cache",
            "<= 50 ms",
            f"{cached_seconds * 1000:.2f} ms, {uncached_seconds / cached_seconds:.0f}x faster ({size:.0f} KB)",
            cached_seconds <= 0.05,
        ),
    ]


def measure_correction() -> BenchmarkResult:
    """Measure a tap on a mark in a report of 1,000 answers: the request at the server, without the job that follows."""
    from django.test import Client

    diagnosis = _create_largest_diagnosis("bench-correction")
    client = Client()
    client.force_login(diagnosis.owner)
    answer = next(answer for answer in diagnosis.answers.all() if answer.mentions)
    brand, start, end, *_state = answer.mentions[0]
    body = {"answer": str(answer.pk), "brand": brand, "start": start, "end": end}
    kinds = itertools.cycle(["reject", "confirm"])

    def correct() -> None:
        response = client.post(
            f"/api/diagnoses/{diagnosis.pk}/corrections", body | {"kind": next(kinds)}, content_type="application/json"
        )
        assert response.status_code == 200, response.content

    seconds = _get_median_seconds(correct, times=20)
    return BenchmarkResult(
        "one tap on a mark of 1,000 answers, at the server", "<= 50 ms", f"{seconds * 1000:.1f} ms", seconds <= 0.05
    )


def _get_median_seconds(
    call: Callable[[], object], times: int = 7, clock: Callable[[], float] = time.perf_counter
) -> float:
    seconds = []
    for _ in range(times):
        started = clock()
        call()
        seconds.append(clock() - started)
    return median(seconds)


def _create_largest_diagnosis(name: str = "bench") -> "Diagnosis":
    """Create the largest diagnosis that the API accepts, with seven of eight answers valid and the others failed."""
    from django.contrib.auth import get_user_model

    from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
    from diagnosis.choices import AnswerState, DiagnosisStatus
    from diagnosis.models import Answer, Diagnosis, Platform
    from diagnosis.orders.services import DiagnosisRequest, RequestContext, RequestedBrand, create_diagnosis

    owner = get_user_model().objects.create(username=name)
    platforms = [Platform.objects.create(pk=f"{name}-{n}", name=f"平台 {n}", model=f"m{n}").pk for n in range(10)]
    questions = [f"问题 {number}：哪个牌子好？" for number in range(20)]
    request = DiagnosisRequest(
        RequestedBrand(BRAND_NAMES[0]),
        questions,
        platforms,
        [RequestedBrand(name) for name in BRAND_NAMES[1:]],
        repeats=5,
    )
    diagnosis, _is_new = create_diagnosis(request, RequestContext(owner, knows_keys=False))
    brands, answers = build_brand_spellings(diagnosis.brands.all()), list(diagnosis.answers.select_related("question"))
    for number, (answer, text) in enumerate(zip(answers, simulate_answers(1000, random.Random(2)), strict=True)):
        if number % 8:
            answer.state, answer.text, answer.model = AnswerState.VALID, text, "bench"
            for name, value in compute_analysis_columns(text, brands, answer.question.text).items():
                setattr(answer, name, value)
        else:
            answer.state, answer.error_code = AnswerState.FAILED, "NETWORK_TIMEOUT"
    Answer.objects.bulk_update(answers, ["state", "text", "model", "error_code", "mentions", "others", "domains"])
    Diagnosis.objects.filter(pk=diagnosis.pk).update(status=DiagnosisStatus.COMPLETED)
    return Diagnosis.objects.get(pk=diagnosis.pk)
