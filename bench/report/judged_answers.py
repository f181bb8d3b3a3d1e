"""What the extraction finds in the realistic labelled answers, with recorded replies of a judge.

`data/judge_a.jsonl` and `data/judge_b.jsonl` have a reply for each realistic answer; they miss some brands and alter
some quotes, as a model does.
"""

import json
from pathlib import Path
from typing import Any

from bench.harness import BenchmarkResult
from bench.report.labelled_answers import (
    DATA_DIRECTORY,
    READ_HALF,
    REALISTIC,
    UNREAD_HALF,
    Score,
    get_key,
    read_answers,
)
from diagnosis.analysis.columns import MENTION_UNCERTAIN, compute_analysis_columns
from diagnosis.analysis.extraction import build_extraction
from diagnosis.analysis.mentions import BrandSpellings

READ_REPLIES, UNREAD_REPLIES = DATA_DIRECTORY / "judge_a.jsonl", DATA_DIRECTORY / "judge_b.jsonl"
MIN_PRECISION, MIN_RECALL = 0.95, 0.9


def measure_discovery_with_judge() -> list[BenchmarkResult]:
    """Measure discovered brands and mentions with a judge, on both halves and on the one that was never read."""
    both = _score([(READ_HALF, READ_REPLIES), (UNREAD_HALF, UNREAD_REPLIES)])
    unread = _score([(UNREAD_HALF, UNREAD_REPLIES)])
    return [
        _build_result("discovered brands with a judge (recorded replies), realistic answers", both[0]),
        _build_result("the same, the half that was never read", unread[0]),
        _build_result("certain mentions with a judge (recorded replies), realistic answers", both[1]),
    ]


def _score(halves: list[tuple[Path, Path]]) -> tuple[Score, Score]:
    """Return the scores of the discovered brands and of the certain mentions."""
    discovered, certain = Score(), Score()
    for answers_path, replies_path in halves:
        replies = {reply["id"]: reply for reply in map(json.loads, replies_path.read_text("utf-8").splitlines())}
        for answer in read_answers([answers_path], REALISTIC):
            columns = _analyse(answer, replies[answer["id"]])
            ambiguous = set(answer["truly_ambiguous"])
            discovered.count({get_key(name) for name in columns["others"]}, set(map(get_key, answer["discovered"])))
            named = {brand for brand, _start, _end, *state in columns["mentions"] if state != [MENTION_UNCERTAIN]}
            certain.count(named - ambiguous, set(answer["certain"]) - ambiguous)
    return discovered, certain


def _analyse(answer: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    brands = [BrandSpellings(spellings[0], spellings) for spellings in answer["brands"]]
    judged = [
        {**brand, "praise": brand.get("praised", []), "blame": brand.get("blamed", [])} for brand in reply["brands"]
    ]
    extraction = build_extraction(json.dumps({"brands": judged}, ensure_ascii=False), answer["text"])
    return compute_analysis_columns(answer["text"], brands, answer.get("question") or "", extraction)


def _build_result(name: str, score: Score) -> BenchmarkResult:
    is_held = score.precision >= MIN_PRECISION and score.recall >= MIN_RECALL
    return BenchmarkResult(name, f"precision >= {MIN_PRECISION}, recall >= {MIN_RECALL}", str(score), is_held)
