"""Accuracy on labelled answers that were written and labelled by someone who saw neither code nor list of brands.

`data/answers_a.jsonl` was read in development after its first measurement; `data/answers_b.jsonl` never was. A line has
`brands` (the name, then its aliases), `question`, `text`, and the labels `certain`, `truly_ambiguous` (in no score),
`discovered` (brands outside `brands`) and `domains`. `data/README.md` has the rule of the labels and all corrections.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnosis.analysis.matching.gazetteer import get_gazetteer
from diagnosis.analysis.mentions import BrandSpellings, TextAnalysis, analyse_text, normalize_spelling

DATA_DIRECTORY = Path(__file__).parent / "data"
READ_HALF, UNREAD_HALF = DATA_DIRECTORY / "answers_a.jsonl", DATA_DIRECTORY / "answers_b.jsonl"
REALISTIC, HOSTILE = "realistic", "hostile"


@dataclass
class Score:
    """Counts of names: correct, found, expected."""

    correct: int = 0
    found: int = 0
    expected: int = 0

    def count(self, found: set[str], expected: set[str]) -> None:
        """Add the names of one answer."""
        self.correct += len(found & expected)
        self.found += len(found)
        self.expected += len(expected)

    @property
    def precision(self) -> float:
        return self.correct / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.correct / self.expected if self.expected else 1.0

    def __str__(self) -> str:
        return f"precision {self.precision:.3f}, recall {self.recall:.3f} ({self.correct} of {self.expected})"


@dataclass
class Scores:
    """Scores of a set of answers."""

    certain: Score
    discovered: Score
    domains: Score
    uncertain: int = 0

    @property
    def uncertain_share(self) -> float:
        """Return the share of the mentions that is left to the user."""
        return self.uncertain / max(1, self.uncertain + self.certain.found)


def read_answers(paths: Iterable[Path], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the labelled answers of one kind."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            answer = json.loads(line)
            if answer["set"] == kind:
                yield answer


def analyse(answer: dict[str, Any]) -> TextAnalysis:
    """Return what the matcher finds in a labelled answer."""
    brands = [BrandSpellings(spellings[0], spellings) for spellings in answer["brands"]]
    return analyse_text(answer["text"], brands, answer.get("question") or "")


def score_answers(answers: Iterable[dict[str, Any]]) -> Scores:
    """Score mentions, discovered brands and domains; a brand counts once per answer."""
    scores = Scores(Score(), Score(), Score())
    for answer in answers:
        analysis, ambiguous = analyse(answer), set(answer["truly_ambiguous"])
        certain = {mention.brand for mention in analysis.mentions if mention.is_certain}
        scores.certain.count(certain - ambiguous, set(answer["certain"]) - ambiguous)
        scores.uncertain += len({mention.brand for mention in analysis.mentions} - certain - ambiguous)
        discovered = {get_key(name) for name in (*analysis.others, *analysis.discovered)}
        scores.discovered.count(discovered, {get_key(name) for name in answer["discovered"]})
        scores.domains.count(set(analysis.domains), set(answer["domains"]))
    return scores


def get_key(name: str) -> str:
    """Return what all spellings of a known brand share."""
    spelling = normalize_spelling(name)
    known_brand = get_gazetteer().by_spelling.get(spelling)
    return normalize_spelling(known_brand.name) if known_brand else spelling
