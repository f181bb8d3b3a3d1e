"""Is the brand meant, or the ordinary word? By what stands beside the name, then by the rest of the answer.

Beside: words of either sense in the same sentence, and other brands, the nearer the more. Where the sentence is silent,
the sense that the name has elsewhere in the answer counts (Gale, Church and Yarowsky 1992, One sense per discourse),
then the words of the whole answer and of its question. Where these are silent too, or at odds, it is uncertain.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

import ahocorasick

from diagnosis.analysis.matching.gazetteer import KnownBrand
from diagnosis.analysis.matching.names import NameMatch, is_whole_word
from diagnosis.analysis.matching.normalization import NormalizedText

MAX_CONTEXT_CHARACTERS = 80  # characters to each side that count as the same sentence
MIN_SCORE_RATIO = 2.0  # how much more one sense must have for it than the other
MIN_ANSWER_SCORE = 2  # words of one sense that settle it from anywhere in the answer
QUESTION_WORD_WEIGHT = 2  # how many words of the answer one of the question is worth
OTHER_BRAND_WEIGHT = 0.6  # how much of a word another brand is worth
MIN_UNKNOWN_NAME_SCORE = 0.3  # for a name of one character, which may be a part of any word
BRAND_CASE_WEIGHT = 0.5  # and a name of letters that is written as the brand writes it


OffsetRange = tuple[int, int]


class Sense(Enum):
    """What is meant. SILENT: nothing tells."""

    BRAND = "brand"
    WORD = "word"
    UNCERTAIN = "uncertain"
    NO_EVIDENCE = "silent"


@dataclass(frozen=True)
class MatchContext:
    """A text with all that was found in it; `text` as given, `question` folded."""

    text: str
    normalized: NormalizedText
    matches: Sequence[NameMatch]
    question: str
    common_brand_words: tuple[str, ...]
    sentence_ends: list[int] = field(init=False)
    """Where in the folded text sentences end."""
    word_ranges: dict["WordFinder", list[OffsetRange]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        candidates = _SENTENCE_END.finditer(self.normalized.normalized)
        object.__setattr__(
            self, "sentence_ends", [match.start() for match in candidates if self._is_sentence_end(match.start())]
        )

    def _is_sentence_end(self, index: int) -> bool:
        """A full stop, a new line, which is folded into a space, or the space behind a point."""
        normalized = self.normalized
        if normalized.normalized[index] != " ":
            return True
        if "\n" in self.text[normalized.start_offsets[index] : normalized.end_offsets[index]]:
            return True
        # 「1. 苹果」 is one sentence.
        return (
            normalized.normalized[index - 1 : index] == "."
            and not normalized.normalized[max(0, index - 2) : index - 1].isdigit()
        )

    def get_sentence_bounds(self, match: NameMatch) -> tuple[int, int]:
        """Its bounds, at most MAX_CONTEXT_CHARACTERS to each side."""
        left, right = bisect_left(self.sentence_ends, match.start), bisect_left(self.sentence_ends, match.end)
        start = self.sentence_ends[left - 1] + 1 if left else 0
        end = self.sentence_ends[right] if right < len(self.sentence_ends) else len(self.normalized.normalized)
        return max(start, match.start - MAX_CONTEXT_CHARACTERS), min(end, match.end + MAX_CONTEXT_CHARACTERS)

    def find_words(self, words: "WordFinder", start: int, end: int) -> list[OffsetRange]:
        """Where some words are in a part of the folded text; the whole text is looked through once."""
        if words not in self.word_ranges:
            self.word_ranges[words] = words.find(self.normalized.normalized)
        ranges = self.word_ranges[words]
        return ranges[
            bisect_left(ranges, start, key=_get_range_start) : bisect_right(ranges, end - 1, key=_get_range_start)
        ]

    def find_matches(self, start: int, end: int) -> Sequence[NameMatch]:
        """Those that start in a part of the folded text."""
        return self.matches[
            bisect_left(self.matches, start, key=_get_match_start) : bisect_right(
                self.matches, end - 1, key=_get_match_start
            )
        ]


def _get_match_start(match: NameMatch) -> int:
    return match.start


def _get_range_start(offsets: OffsetRange) -> int:
    return offsets[0]


_SENTENCE_END = re.compile("[。!?;！？；… ]")


def classify_senses(context: MatchContext) -> list[Sense]:
    """One sense, never SILENT, for each hit."""
    senses = [_classify_by_sentence(context, hit) if hit.name.is_ambiguous else Sense.BRAND for hit in context.matches]
    sense_by_spelling: dict[str, Sense] = {}
    for match, sense in zip(context.matches, senses, strict=True):
        if sense is Sense.NO_EVIDENCE and match.name.spelling not in sense_by_spelling:
            sense_by_spelling[match.name.spelling] = _classify_by_answer(context, match, senses)
    return [
        sense_by_spelling[hit.name.spelling] if sense is Sense.NO_EVIDENCE else sense
        for hit, sense in zip(context.matches, senses, strict=True)
    ]


# In the sentence ------------------------------------------------------------------------------------------------------


def _classify_by_sentence(context: MatchContext, match: NameMatch) -> Sense:
    brand_words, ordinary_words = _get_sense_words(match.name.known_brand, context.common_brand_words)
    start, end = context.get_sentence_bounds(match)
    brand_ranges = _exclude_ranges_inside(match, context.find_words(brand_words, start, end))
    word_ranges = _exclude_ranges_inside(match, context.find_words(ordinary_words, start, end))
    if any(span[0] == match.end for span in brand_ranges):
        return Sense.BRAND  # the noun right behind decides: 「苹果手机」
    other_brand_ranges = [(other.start, other.end) for other in _find_other_brands(context, match, start, end)]
    brand_score = _compute_proximity_score(match, brand_ranges) + OTHER_BRAND_WEIGHT * _compute_proximity_score(
        match, other_brand_ranges
    )
    word_score = _compute_proximity_score(match, word_ranges)
    if _has_brand_case(context, match, start):
        brand_score += BRAND_CASE_WEIGHT
    if match.name.known_brand is None and brand_score < MIN_UNKNOWN_NAME_SCORE:
        return Sense.UNCERTAIN
    return _compare_scores(brand_score, word_score)


def _compare_scores(brand_score: float, word_score: float) -> Sense:
    if not brand_score and not word_score:
        return Sense.NO_EVIDENCE
    if brand_score >= MIN_SCORE_RATIO * word_score:
        return Sense.BRAND
    return Sense.WORD if word_score >= MIN_SCORE_RATIO * brand_score else Sense.UNCERTAIN


def _exclude_ranges_inside(match: NameMatch, ranges: Iterable[OffsetRange]) -> list[OffsetRange]:
    """Without what is a part of the name itself: 「牛」 in 「公牛」."""
    return [span for span in ranges if not (match.start <= span[0] and span[1] <= match.end)]


def _compute_proximity_score(match: NameMatch, ranges: Iterable[OffsetRange]) -> float:
    return sum(1 / (1 + max(start - match.end, match.start - end, 0)) for start, end in ranges)


def _find_other_brands(context: MatchContext, match: NameMatch, start: int, end: int) -> list[NameMatch]:
    """Other brands in the sentence that are nothing else: brands come together."""
    return [
        other
        for other in context.find_matches(start, end)
        if other.name.brand != match.name.brand and not other.name.is_ambiguous
    ]


def _has_brand_case(context: MatchContext, match: NameMatch, sentence_start: int) -> bool:
    """A name of letters in the brand's own case, where not every word begins with a capital."""
    written = context.text[
        context.normalized.start_offsets[match.start] : context.normalized.end_offsets[match.end - 1]
    ]
    if not match.name.known_brand or not written.isascii() or written not in match.name.known_brand.original_spellings:
        return False
    return bool(context.normalized.normalized[sentence_start : match.start].strip())


# In the rest of the answer --------------------------------------------------------------------------------------------


def _classify_by_answer(context: MatchContext, match: NameMatch, senses: Sequence[Sense]) -> Sense:
    decided_senses = {
        sense
        for other, sense in zip(context.matches, senses, strict=True)
        if other.name.brand == match.name.brand and sense in (Sense.BRAND, Sense.WORD)
    }
    if len(decided_senses) == 1:
        return decided_senses.pop()
    if decided_senses:
        return Sense.UNCERTAIN
    brand_words, ordinary_words = _get_sense_words(match.name.known_brand, ())
    other_brands = {other.name.brand for other in context.matches if not other.name.is_ambiguous} - {match.name.brand}
    brand_score = _count_distinct_words(brand_words, context) + len(other_brands)
    word_score = _count_distinct_words(ordinary_words, context)
    if max(brand_score, word_score) < MIN_ANSWER_SCORE:
        return Sense.UNCERTAIN
    return _compare_scores(brand_score, word_score)


def _count_distinct_words(words: "WordFinder", context: MatchContext) -> int:
    """Different words in the answer, and those in the question for more."""
    texts = ((context.normalized.normalized, 1), (context.question, QUESTION_WORD_WEIGHT))
    return sum(weight * len({text[start:end] for start, end in words.find(text)}) for text, weight in texts)


# Words ----------------------------------------------------------------------------------------------------------------


class WordFinder:
    """Folded words to look for."""

    def __init__(self, words: Iterable[str]) -> None:
        self._automaton: Any = ahocorasick.Automaton()
        for word in words:
            self._automaton.add_word(word, len(word))
        self._automaton.make_automaton()

    def find(self, text: str) -> list[OffsetRange]:
        """Their places in order and apart, the longest first; a word of letters as a whole one."""
        if not len(self._automaton):
            return []
        ranges = [(last + 1 - length, last + 1) for last, length in self._automaton.iter_long(text)]
        return [span for span in ranges if is_whole_word(text, *span)]


@lru_cache(maxsize=1024)
def _get_sense_words(
    known_brand: KnownBrand | None, common_brand_words: tuple[str, ...]
) -> tuple[WordFinder, WordFinder]:
    """What tells the brand, and what tells the word."""
    if known_brand is None:
        return WordFinder(common_brand_words), WordFinder(())
    return WordFinder((*known_brand.brand_context, *common_brand_words)), WordFinder(known_brand.word_context)
