"""Hand-checked cases of brand matching: CSV files, and how they are read and judged.

A row is `trap,brands,text,question`. brands: `名称=别名=别名;名称`. In the text a mention is marked `[苹果]`, as
`[Apple|苹果]` when the spelling is not the brand's name, and with `?` before the bracket's end where only the user
can tell: `[苹果?]`, `[Apple|苹果?]`. A real bracket is written `\\[` or `\\]`.

`mentions.csv` was at hand while the code was written, and grows with every bug that is found. `mentions_untouched.csv`
was written after the code was frozen; neither the code nor the list of known brands was ever changed to suit it.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diagnosis.analysis.mentions import BrandSpellings, Mention, analyse_text

CASES_DIRECTORY = Path(__file__).parent
DEVELOPMENT_SET = CASES_DIRECTORY / "mentions.csv"
HELD_OUT_SET = CASES_DIRECTORY / "mentions_untouched.csv"
_MARK = re.compile(r"\\([\[\]])|\[([^\[\]]+)\]")


@dataclass(frozen=True)
class MatchingCase:
    """One text with what must be found in it. place: file and line, to find it again."""

    location: str
    category: str
    brands: list[BrandSpellings]
    text: str
    expected: list[Mention]
    question: str = ""

    def found(self) -> list[Mention]:
        """What is found."""
        return analyse_text(self.text, self.brands, self.question).mentions


def read_cases(path: Path) -> Iterator[MatchingCase]:
    """The cases of a file, in order."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            brands = [_parse_brand(text) for text in row["brands"].split(";")]
            text, expected = _parse_marked_text(row["text"])
            yield MatchingCase(f"{path.name}:{number}", row["trap"], brands, text, expected, row["question"] or "")


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
    """Counts over some cases. A mention is right when its brand, its place and whether it is certain are."""

    cases: int
    correct: int
    found: int
    expected: int
    mismatched_cases: list[MatchingCase]

    @property
    def precision(self) -> float:
        """Of what was found, the share that is right."""
        return self.correct / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of what was to be found, the share that was."""
        return self.correct / self.expected if self.expected else 1.0


def score_cases(cases: Iterable[MatchingCase], *, certain_only: bool = False) -> MatchingScore:
    """Run all cases. certain_only: only what the report's figures count, which uncertain hits are not."""
    count = right = found = expected = 0
    wrong: list[MatchingCase] = []
    for case in cases:
        actual, wanted = (
            {one for one in one_side if one.is_certain or not certain_only}
            for one_side in _get_found_and_expected(case)
        )
        count, right = count + 1, right + len(actual & wanted)
        found, expected = found + len(actual), expected + len(wanted)
        if actual != wanted:
            wrong.append(case)
    return MatchingScore(count, right, found, expected, wrong)


def _get_found_and_expected(case: MatchingCase) -> tuple[list[Mention], list[Mention]]:
    return case.found(), case.expected
