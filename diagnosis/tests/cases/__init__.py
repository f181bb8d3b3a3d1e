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

from diagnosis.mentions import BrandNames, Mention, analyse

HERE = Path(__file__).parent
KNOWN = HERE / "mentions.csv"
UNTOUCHED = HERE / "mentions_untouched.csv"
_MARK = re.compile(r"\\([\[\]])|\[([^\[\]]+)\]")


@dataclass(frozen=True)
class Case:
    """One text with what must be found in it. place: file and line, to find it again."""

    place: str
    trap: str
    brands: list[BrandNames]
    text: str
    expected: list[Mention]
    question: str = ""

    def found(self) -> list[Mention]:
        """What is found."""
        return analyse(self.text, self.brands, self.question).mentions


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file, in order."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            brands = [_brand(text) for text in row["brands"].split(";")]
            text, expected = _unmark(row["text"])
            yield Case(f"{path.name}:{number}", row["trap"], brands, text, expected, row["question"] or "")


def _brand(text: str) -> BrandNames:
    spellings = text.split("=")
    return BrandNames(spellings[0], spellings)


def _unmark(marked: str) -> tuple[str, list[Mention]]:
    pieces: list[str] = []
    mentions: list[Mention] = []
    length = behind = 0
    for mark in _MARK.finditer(marked):
        before = marked[behind : mark.start()]
        words, _, brand = (mark[1] or mark[2]).removesuffix("?").partition("|")
        start = length + len(before)
        pieces += [before, words]
        length, behind = start + len(words), mark.end()
        if not mark[1]:
            mentions.append(Mention(brand or words, start, length, is_certain=not mark[2].endswith("?")))
    return "".join([*pieces, marked[behind:]]), mentions


@dataclass(frozen=True)
class Score:
    """Counts over some cases. A mention is right when its brand, its place and whether it is certain are."""

    cases: int
    right: int
    found: int
    expected: int
    wrong: list[Case]

    @property
    def precision(self) -> float:
        """Of what was found, the share that is right."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of what was to be found, the share that was."""
        return self.right / self.expected if self.expected else 1.0


def judge(cases: Iterable[Case], *, certain_only: bool = False) -> Score:
    """Run all cases. certain_only: only what the report's figures count, which uncertain hits are not."""
    count = right = found = expected = 0
    wrong: list[Case] = []
    for case in cases:
        have, want = ({one for one in one_side if one.is_certain or not certain_only} for one_side in _pair(case))
        count, right = count + 1, right + len(have & want)
        found, expected = found + len(have), expected + len(want)
        if have != want:
            wrong.append(case)
    return Score(count, right, found, expected, wrong)


def _pair(case: Case) -> tuple[list[Mention], list[Mention]]:
    return case.found(), case.expected
