"""How fast: the report of the largest diagnosis there is, and the analysis of ten thousand answers."""

import random
import resource
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING

from bench.figures import Figure
from diagnosis.mentions import BrandNames, analyse

if TYPE_CHECKING:
    from diagnosis.models import Diagnosis

ANSWERS, CHARACTERS = 10_000, 2_000
NAMES = ("苹果", "小米", "华为", "理想", "美的", "海尔", "大众", "山岚")
SENTENCES = (
    "如果预算在三千元左右，{0}的手机续航和拍照都比较均衡，系统更新也及时。",
    "{0}在售后网点上占优，{1}则胜在价格，两家的旗舰店都支持以旧换新。",
    "不少用户反映{0}的做工扎实，但新款的噪音比上一代略大，介意的话可以看看{1}。",
    "需要提醒的是，参数只是参考，实际体验和房间大小、使用习惯都有关系。",
    "详细评测可以看 https://www.example.com/review/{2} ，里面有完整的对比表格。",
    "早餐可以喝小米粥，饭后吃个苹果，这和品牌没有关系，老板娘也这么说。",
    "总体来说，没有绝对的好坏，建议先到门店体验再下单，避免冲动消费。\n",
)


def simulate_answers(count: int, chance: random.Random) -> Iterator[str]:
    """Texts of 2,000 characters as platforms write them, one after another."""
    for number in range(count):
        pieces: list[str] = []
        while sum(map(len, pieces)) < CHARACTERS:
            pieces.append(chance.choice(SENTENCES).format(chance.choice(NAMES), chance.choice(NAMES), number))
        yield "".join(pieces)[:CHARACTERS]


def measure_analysis(count: int = ANSWERS) -> Figure:
    """10,000 answers of 2,000 characters on one core, one after another."""
    brands = [BrandNames(name, [name]) for name in NAMES]
    analyse("", brands)  # the list of known brands is read once a process
    before, used, found = _most_memory_mb(), 0.0, 0
    for text in simulate_answers(count, random.Random(1)):
        started = time.process_time()
        found += len(analyse(text, brands, "哪个牌子好？").mentions)
        used += time.process_time() - started
    more = _most_memory_mb() - before
    measured = f"{used:.1f} s, {found:,} mentions, {more:.0f} MB more memory"
    return Figure(
        f"analysis of {count:,} answers of 2,000 characters",
        "< 60 s, memory bounded",
        measured,
        used < 60 and more < 50,
    )


def _most_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_report() -> list[Figure]:
    """The report of 20 questions x 10 platforms x 5 repeats."""
    from diagnosis import cached
    from diagnosis.models import Diagnosis
    from diagnosis.reporting import make_report
    from performance.cache import touch

    diagnosis = _make_diagnosis()
    computed = _median_seconds(lambda: make_report(diagnosis))

    def read() -> cached.Report:
        return cached.report_of(diagnosis.pk, "zh-hans")

    def load_anew() -> None:
        touch(cached.report_version(diagnosis.pk))
        read()

    # As stored reports of an older form are read: computed, dressed and written as JSON.
    Diagnosis.objects.filter(pk=diagnosis.pk).update(report={})
    cold = _median_seconds(load_anew)
    hit = _median_seconds(read, times=50)
    size = len(read()["body"]) / 1024
    return [
        Figure("report of 1,000 answers computed", "< 1 s", f"{computed:.3f} s; as read {cold:.3f} s", computed < 1),
        Figure(
            "the same served from the cache",
            ">= 10x faster",
            f"{hit * 1000:.2f} ms, {cold / hit:.0f}x faster ({size:.0f} KB)",
            cold / hit >= 10,
        ),
    ]


def _median_seconds(call: Callable[[], object], times: int = 7) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def _make_diagnosis() -> "Diagnosis":
    """The largest that the API accepts, every answer settled, seven of eight of them valid."""
    from django.contrib.auth import get_user_model

    from diagnosis.choices import AnswerState, Status
    from diagnosis.models import Answer, Diagnosis, Platform
    from diagnosis.orders import BrandOrder, Order, Request, place_order
    from diagnosis.reporting import analysis_columns, brand_names

    owner = get_user_model().objects.create(username="bench")
    platforms = [Platform.objects.create(pk=f"bench-{n}", name=f"平台 {n}", model=f"m{n}").pk for n in range(10)]
    questions = [f"问题 {number}：哪个牌子好？" for number in range(20)]
    order = Order(BrandOrder(NAMES[0]), questions, platforms, [BrandOrder(name) for name in NAMES[1:]], repeats=5)
    diagnosis, _is_new = place_order(order, Request(owner))
    brands, answers = brand_names(diagnosis.brands.all()), list(diagnosis.answers.select_related("question"))
    for number, (answer, text) in enumerate(zip(answers, simulate_answers(1000, random.Random(2)), strict=True)):
        if number % 8:
            answer.state, answer.text, answer.model = AnswerState.VALID, text, "bench"
            for name, value in analysis_columns(text, brands, answer.question.text).items():
                setattr(answer, name, value)
        else:
            answer.state, answer.error_code = AnswerState.FAILED, "NETWORK_TIMEOUT"
    Answer.objects.bulk_update(answers, ["state", "text", "model", "error_code", "mentions", "others", "domains"])
    Diagnosis.objects.filter(pk=diagnosis.pk).update(status=Status.COMPLETED)
    return Diagnosis.objects.get(pk=diagnosis.pk)
