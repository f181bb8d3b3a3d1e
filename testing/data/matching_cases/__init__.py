"""Annotated cases of brand matching in CSV files, with functions to read and score them.

A row is `trap,brands,text,question`, with brands as `名称=别名=别名;名称`. In the text a mention is marked `[苹果]`,
`[Apple|苹果]` if the spelling is not the brand's name, and with a final `?` if it is uncertain: `[苹果?]`,
`[Apple|苹果?]`. A literal bracket is written `\\[` or `\\]`.

`mentions.csv` was used in development and grows with every bug. `mentions_untouched.csv` was written later. It is no
longer strictly untouched: its total was looked at after every change of the matching.

`reported.jsonl` and `kinds.jsonl` hold texts with the brands that they certainly name, `{"brands", "text", "expect",
"tag", "question"?}`: those that were reported as wrong, and others of the same kinds.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diagnosis.analysis.mentions import BrandSpellings, Mention, analyse_text

CASES_DIRECTORY = Path(__file__).parent
DEVELOPMENT_SET = CASES_DIRECTORY / "mentions.csv"
HELD_OUT_SET = CASES_DIRECTORY / "mentions_untouched.csv"
REPORTED_SET, KINDS_SET = CASES_DIRECTORY / "reported.jsonl", CASES_DIRECTORY / "kinds.jsonl"
_MARK = re.compile(r"\\([\[\]])|\[([^\[\]]+)\]")


@dataclass(frozen=True)
class MatchingCase:
    """A text with its expected mentions. location: file and line."""

    location: str
    category: str
    brands: list[BrandSpellings]
    text: str
    expected: list[Mention]
    question: str = ""

    def find_mentions(self) -> list[Mention]:
        return analyse_text(self.text, self.brands, self.question).mentions


def read_cases(path: Path) -> Iterator[MatchingCase]:
    """Yield the cases of a file in order."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            brands = [_parse_brand(text) for text in row["brands"].split(";")]
            text, expected = _parse_marked_text(row["text"])
            yield MatchingCase(f"{path.name}:{number}", row["trap"], brands, text, expected, row["question"] or "")


@dataclass(frozen=True)
class NamedBrandsCase:
    """A text with the brands that it certainly names, in any order. kind: what makes it hard."""

    kind: str
    brands: list[BrandSpellings]
    text: str
    expected: frozenset[str]
    question: str

    def find_brands(self) -> frozenset[str]:
        mentions = analyse_text(self.text, self.brands, self.question).mentions
        return frozenset(mention.brand for mention in mentions if mention.is_certain)


def read_named_brands_cases(path: Path) -> Iterator[NamedBrandsCase]:
    """Yield the cases of a file of JSON lines in order."""
    for line in path.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        brands = [BrandSpellings(spellings[0], spellings) for spellings in case["brands"]]
        yield NamedBrandsCase(case["tag"], brands, case["text"], frozenset(case["expect"]), case.get("question", ""))


def _parse_brand(text: str) -> BrandSpellings:
    spellings = text.split("=")
    return BrandSpellings(spellings[0], spellings)


def _parse_marked_text(marked: str) -> tuple[str, list[Mention]]:
    pieces: list[str] = []
    mentions: list[Mention] = []
    length = position = 0
    for mark in _MARK.finditer(marked):
        before = marked[position : mark.start()]
        spelling, _, brand = (mark[1] or mark[2]).removesuffix("?").partition("|")
        start = length + len(before)
        pieces += [before, spelling]
        length, position = start + len(spelling), mark.end()
        if not mark[1]:
            mentions.append(Mention(brand or spelling, start, length, is_certain=not mark[2].endswith("?")))
    return "".join([*pieces, marked[position:]]), mentions


@dataclass(frozen=True)
class MatchingScore:
    """Counts over cases. A mention is correct if brand, offsets and certainty are."""

    cases: int
    correct: int
    found: int
    expected: int
    mismatched_cases: list[MatchingCase]

    @property
    def precision(self) -> float:
        """Return the share of the found mentions that is correct."""
        return self.correct / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Return the share of the expected mentions that was found."""
        return self.correct / self.expected if self.expected else 1.0


def score_cases(cases: Iterable[MatchingCase], *, certain_only: bool = False) -> MatchingScore:
    """Run all cases. `certain_only` ignores uncertain mentions, which figures of reports do not count."""
    count = correct = found = expected = 0
    mismatched_cases: list[MatchingCase] = []
    for case in cases:
        actual_mentions, expected_mentions = (
            {mention for mention in mentions if mention.is_certain or not certain_only}
            for mentions in (case.find_mentions(), case.expected)
        )
        count, correct = count + 1, correct + len(actual_mentions & expected_mentions)
        found, expected = found + len(actual_mentions), expected + len(expected_mentions)
        if actual_mentions != expected_mentions:
            mismatched_cases.append(case)
    return MatchingScore(count, correct, found, expected, mismatched_cases)
