"""What the demo platform answers with a search: which pages it is shown, which it cites, and where in the text."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from diagnosis.platforms.demo.web import DEMO_BRANDS, Page, search_pages

DEMO_OPENINGS = [
    "如果是日常使用，我会先看这几个牌子：",
    "按口碑和性价比来说，可以考虑下面几款：",
    "这个问题没有唯一答案，不过常被提到的有：",
    "新手入门的话，建议从这些品牌里挑：",
]
DEMO_PRAISES = [
    "做工扎实，售后也稳定",
    "上手容易，适合新手",
    "设计好看，价格略高",
    "性价比突出",
    "控温准，口碑一直不错",
    "小众但用料讲究",
]
DEMO_CLOSINGS = [
    "以上仅供参考，建议结合预算选择。",
    "最好先到店里上手试一试。",
    "不同批次略有差别，下单前看看近期评价。",
]
DEMO_NOTICE = "（演示回答，品牌均为虚构）"
SKIPPED_SEARCHES = 0.08  # of the answers
TRUNCATED_ANSWERS = 0.05
MAX_RESULTS = 8  # of a search

Segment = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Opinions:
    """What a model thinks of brands. popularity: factors, 1 by default; criticism: what it says instead of praise."""

    popularity: Mapping[str, float] = field(default_factory=dict)
    criticism: Mapping[str, str] = field(default_factory=dict)


UNBIASED = Opinions()


@dataclass(frozen=True)
class DemoAnswer:
    """An answer. segments: parts of the text, each with the places of its sources in `results`.

    opinions: the brands in the text, with what it says about each.
    """

    question: str
    has_searched: bool
    is_truncated: bool
    queries: tuple[str, ...]
    results: tuple[Page, ...]
    segments: tuple[Segment, ...]
    reasoning: str
    opinions: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The text without marks."""
        return "".join(part for part, _sources in self.segments)

    def render(self, build_mark: Callable[[Sequence[int]], str]) -> str:
        """Return the text with a mark after each part that has sources."""
        return "".join(part + (build_mark(sources) if sources else "") for part, sources in self.segments)


def compose_answer(
    model: str, question: str, seed: int, *, searches: bool, opinions: Opinions = UNBIASED
) -> DemoAnswer:
    """Return the answer of a model to a question: the same one for the same seed."""
    rng = random.Random(hashlib.sha256(f"{model}|{seed}|{question}".encode()).digest())
    has_searched = searches and rng.random() >= SKIPPED_SEARCHES
    is_truncated = searches and rng.random() < TRUNCATED_ANSWERS
    queries = (
        (question.rstrip("？?。"), f"{question.rstrip('？?。')} 口碑")[: rng.randint(1, 2)] if has_searched else ()
    )
    results = tuple(
        dict.fromkeys(page for query in queries for page in search_pages(query, rng.randint(5, MAX_RESULTS)))
    )
    brands = _choose_brands(rng, results, opinions.popularity)
    told: list[tuple[str, str]] = []
    segments: list[Segment] = [(rng.choice(DEMO_OPENINGS) + "\n", ())]
    for number, brand in enumerate(brands, 1):
        naming = [place for place, page in enumerate(results) if brand in page.brands]
        cited = tuple(sorted(rng.sample(naming, min(len(naming), rng.randint(1, 2)))))
        opinion = opinions.criticism.get(brand) or rng.choice(DEMO_PRAISES)
        segments += [(f"{number}. ", ()), (f"{brand}：{opinion}", cited), ("。\n", ())]
        told.append((brand, opinion))
    segments += [(rng.choice(DEMO_CLOSINGS) + "\n", ()), (DEMO_NOTICE, ())]
    if is_truncated:
        segments = segments[: max(2, len(segments) // 2)]
    reasoning = f"用户问“{question[:40]}”，先想想有哪些品牌：{'、'.join(rng.sample(DEMO_BRANDS, 3))}。"
    text = "".join(part for part, _sources in segments)
    kept = tuple((brand, opinion) for brand, opinion in told if f"{brand}：{opinion}" in text)
    return DemoAnswer(question, has_searched, is_truncated, queries, results, tuple(segments), reasoning, kept)


def _choose_brands(rng: random.Random, results: Sequence[Page], popularity: Mapping[str, float]) -> list[str]:
    """Choose from the brands that the results name; without results as the model remembers."""
    weights = {brand: 1 / (rank + 1) ** 0.6 for rank, brand in enumerate(DEMO_BRANDS)}
    if results:
        counts = {brand: sum(brand in page.brands for page in results) for brand in DEMO_BRANDS}
        weights = {brand: float(count) for brand, count in counts.items() if count}
    weights = {brand: weight * popularity.get(brand, 1.0) for brand, weight in weights.items()}
    chosen = rng.choices(list(weights), list(weights.values()), k=rng.randint(2, 6))
    return list(dict.fromkeys(chosen))
