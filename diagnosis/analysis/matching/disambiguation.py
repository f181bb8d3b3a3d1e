"""Word-sense disambiguation of names that are also words: is the brand meant, or the ordinary word?

First by the sentence: its form (`evidence.py`), context words of either sense and other brands, weighted by proximity.
Without evidence there, by the sense of the same name elsewhere in the answer (Gale, Church and Yarowsky 1992, One sense
per discourse), then by the context words of the whole answer and its question. Without evidence, or with contradictory
evidence, the match is uncertain.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter

from diagnosis.analysis.matching.automaton import Automaton
from diagnosis.analysis.matching.boundaries import WordFit, get_word_fit, is_whole_word
from diagnosis.analysis.matching.capitals import get_case_evidence
from diagnosis.analysis.matching.evidence import WEAK, Evidence
from diagnosis.analysis.matching.gazetteer import Gazetteer, KnownBrand
from diagnosis.analysis.matching.grammar import (
    get_grammar_evidence,
    get_question_words,
    is_embedded,
    is_in_title,
    is_phrase_in_text,
    is_subject,
)
from diagnosis.analysis.matching.lexicon import Ambiguity, Segmentation, is_counted_phrase
from diagnosis.analysis.matching.names import NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText
from diagnosis.analysis.matching.places import PlaceEvidence
from diagnosis.analysis.matching.structure import Group

MAX_CONTEXT_CHARACTERS = 80  # a sentence is limited to this distance on each side
MIN_SCORE_RATIO = 2.0  # of the scores of both senses, for a decision
MIN_ANSWER_SCORE = 2  # context words in the whole answer, for a decision
MIN_OTHER_BRANDS = 2  # of the diagnosis in an answer, for a name that begins a clause
QUESTION_WORD_WEIGHT = 2  # of a context word in the question, relative to one in the answer
OTHER_BRAND_WEIGHT = 0.6  # of another brand, relative to a context word
MIN_UNKNOWN_NAME_SCORE = 0.3  # for words without context words of their own in the list of known brands
CATEGORY_WEIGHT = 1.5  # of a noun of the question directly after a name: 「老板油烟机」

OffsetRange = tuple[int, int]


class Sense(Enum):
    """The sense of a name in its context."""

    BRAND = "brand"
    WORD = "word"
    UNCERTAIN = "uncertain"
    NO_EVIDENCE = "silent"


@dataclass(frozen=True, eq=False)
class MatchContext:
    """A text with its matches and structure. `question` is normalized."""

    normalized: NormalizedText
    matches: Sequence[NameMatch]
    question: str
    gazetteer: Gazetteer
    groups: Sequence[Group]
    segmentation: Segmentation

    @cached_property
    def sentence_ends(self) -> list[int]:
        """Return the positions of sentence ends in the normalized text."""
        sentence_ends = []
        for match in _SENTENCE_END.finditer(self.normalized.text):
            is_newline = match.group() == " " and "\n" in self.normalized.get_original(*match.span())
            before = self.normalized.text[max(0, match.start() - 2) : match.start()]
            follows_period = before.endswith(".") and not before[:-1].isdigit()  # 「1. 苹果」 is one sentence
            if match.group() != " " or is_newline or follows_period:
                sentence_ends.append(match.start())
        return sentence_ends

    @cached_property
    def place(self) -> PlaceEvidence:
        return PlaceEvidence(self.normalized, self.groups, self.matches)

    @cached_property
    def question_words(self) -> frozenset[str]:
        return get_question_words(self.question)

    def get_sentence_bounds(self, match: NameMatch) -> tuple[int, int]:
        """Return the bounds of its sentence, at most MAX_CONTEXT_CHARACTERS away on each side."""
        left, right = bisect_left(self.sentence_ends, match.start), bisect_left(self.sentence_ends, match.end)
        start = self.sentence_ends[left - 1] + 1 if left else 0
        end = self.sentence_ends[right] if right < len(self.sentence_ends) else len(self.normalized.text)
        return max(start, match.start - MAX_CONTEXT_CHARACTERS), min(end, match.end + MAX_CONTEXT_CHARACTERS)

    @cached_property
    def words(self) -> "ContextWords":
        return ContextWords(self.normalized.text, self.gazetteer)

    @cached_property
    def question_context_words(self) -> "ContextWords":
        return ContextWords(self.question, self.gazetteer)

    def find_words(self, words: frozenset[str], start: int, end: int) -> list[OffsetRange]:
        """Return where the words occur in a part of the normalized text."""
        ranges = self.words.find(words)
        return ranges[bisect_left(ranges, (start,)) : bisect_left(ranges, (end,))]

    def find_matches(self, start: int, end: int) -> Sequence[NameMatch]:
        """Return the matches that start in a part of the normalized text."""
        get_start = attrgetter("start")
        first = bisect_left(self.matches, start, key=get_start)
        return self.matches[first : bisect_right(self.matches, end - 1, key=get_start)]


_SENTENCE_END = re.compile("[。!?;！？；… ]")


def classify_senses(context: MatchContext) -> list[Sense]:
    """Return a sense for each match, never NO_EVIDENCE."""
    senses = [_classify_by_sentence(context, match) for match in context.matches]
    sense_by_spelling: dict[str, Sense] = {}
    for match, sense in zip(context.matches, senses, strict=True):
        if sense is Sense.NO_EVIDENCE and match.name.spelling not in sense_by_spelling:
            sense_by_spelling[match.name.spelling] = _classify_by_answer(context, match, senses)
    return [
        sense_by_spelling[match.name.spelling] if sense is Sense.NO_EVIDENCE else sense
        for match, sense in zip(context.matches, senses, strict=True)
    ]


# In the sentence ------------------------------------------------------------------------------------------------------


def _classify_by_sentence(context: MatchContext, match: NameMatch) -> Sense:
    fit = get_word_fit(context.segmentation, context.normalized.text, match.start, match.end)
    is_phrase = is_phrase_in_text(context.segmentation, context.normalized.text, match.start, match.end)
    if is_phrase or fit in (WordFit.STRADDLED, WordFit.LONGER):
        return Sense.WORD
    if is_in_title(context.normalized.text, match.start):
        return Sense.WORD if match.name.is_ambiguous else Sense.UNCERTAIN
    if not match.name.is_ambiguous:
        return Sense.BRAND
    known_brand = match.name.known_brand
    brand_words, ordinary_words = _get_sense_words(known_brand, context.gazetteer)
    start, end = context.get_sentence_bounds(match)
    brand_ranges = _exclude_ranges_inside(match, context.find_words(brand_words, start, end))
    word_ranges = _exclude_ranges_inside(match, context.find_words(ordinary_words, start, end))
    if fit is WordFit.LINE or any(span[0] == match.end for span in brand_ranges):
        return Sense.BRAND  # a noun directly after the name decides: 「苹果手机」
    # Brands tend to be listed together, so unambiguous other brands in the sentence are evidence.
    other_brand_ranges = [
        (other.start, other.end)
        for other in context.find_matches(start, end)
        if other.name.brand != match.name.brand and not other.name.is_ambiguous
    ]
    brand_score = _compute_proximity_score(match, brand_ranges) + OTHER_BRAND_WEIGHT * _compute_proximity_score(
        match, other_brand_ranges
    )
    form = _get_form_evidence(context, match, has_other_brands=bool(other_brand_ranges))
    scores = Evidence(brand_score, _compute_proximity_score(match, word_ranges)).add(form)
    return _decide(match, scores)


def _get_form_evidence(context: MatchContext, match: NameMatch, *, has_other_brands: bool) -> Evidence:
    normalized = context.normalized
    following = context.segmentation.get_word(match.end).text if match.end < len(normalized.text) else ""
    category = Evidence(CATEGORY_WEIGHT if following in context.question_words else 0.0)
    return (
        category.add(_get_place_evidence(context, match))
        .add(get_case_evidence(normalized, match, is_neighbour_named=has_other_brands))
        .add(get_grammar_evidence(context.segmentation, normalized.text, match))
    )


def _get_place_evidence(context: MatchContext, match: NameMatch) -> Evidence:
    evidence = context.place.get(*context.normalized.get_original_range(match.start, match.end))
    # Beside ordinary words a phrase is a name rather than one of them: 「柠檬云」 under 「免费版」.
    is_phrase = match.name.ambiguity is Ambiguity.PHRASE and evidence.word
    return Evidence(WEAK) if is_phrase else evidence


def _decide(match: NameMatch, scores: Evidence) -> Sense:
    spelling, ambiguity = match.name.spelling, match.name.ambiguity
    is_possible = ambiguity is Ambiguity.POSSIBLE and (spelling.isascii() or is_counted_phrase(spelling))
    if is_possible or (ambiguity is Ambiguity.PERSON and match.name.known_brand):
        return Sense.WORD if scores.word >= MIN_SCORE_RATIO * scores.brand and scores.word >= 1 else Sense.BRAND
    if not _has_context_words(match) and scores.brand < MIN_UNKNOWN_NAME_SCORE and scores.word < MIN_UNKNOWN_NAME_SCORE:
        return Sense.NO_EVIDENCE
    return _compare_scores(scores.brand, scores.word)


def _has_context_words(match: NameMatch) -> bool:
    """Return whether the list of known brands has the context words of both senses."""
    return bool(match.name.known_brand and match.name.known_brand.word_context)


def _compare_scores(brand_score: float, word_score: float) -> Sense:
    if not brand_score and not word_score:
        return Sense.NO_EVIDENCE
    if brand_score >= MIN_SCORE_RATIO * word_score:
        return Sense.BRAND
    return Sense.WORD if word_score >= MIN_SCORE_RATIO * brand_score else Sense.UNCERTAIN


def _exclude_ranges_inside(match: NameMatch, ranges: Iterable[OffsetRange]) -> list[OffsetRange]:
    """Return the ranges without those inside the name itself, such as 「牛」 in 「公牛」."""
    return [span for span in ranges if not (match.start <= span[0] and span[1] <= match.end)]


def _compute_proximity_score(match: NameMatch, ranges: Iterable[OffsetRange]) -> float:
    return sum(1 / (1 + max(start - match.end, match.start - end, 0)) for start, end in ranges)


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
    if not _has_context_words(match):
        if _is_subject_among_brands(context, match, senses):
            return Sense.BRAND
        is_word = is_embedded(context.normalized.text, match.start, match.end)
        return Sense.WORD if is_word else Sense.UNCERTAIN
    assert match.name.known_brand
    brand_score = _count_distinct_words(frozenset(match.name.known_brand.brand_context), context)
    word_score = _count_distinct_words(frozenset(match.name.known_brand.word_context), context)
    if max(brand_score, word_score) < MIN_ANSWER_SCORE:
        return Sense.UNCERTAIN
    return _compare_scores(brand_score, word_score)


def _is_subject_among_brands(context: MatchContext, match: NameMatch, senses: Sequence[Sense]) -> bool:
    """Return whether a name begins a clause of an answer that compares several brands of the diagnosis."""
    others = {
        other.name.brand
        for other, sense in zip(context.matches, senses, strict=True)
        if sense is Sense.BRAND and other.name.is_tracked
    }
    is_candidate = match.name.is_tracked and len(others) >= MIN_OTHER_BRANDS
    return is_candidate and is_subject(context.segmentation, context.normalized.text, match)


def _count_distinct_words(words: frozenset[str], context: MatchContext) -> int:
    """Return the number of distinct words in the answer and, weighted, in the question."""
    texts = ((context.words, 1), (context.question_context_words, QUESTION_WORD_WEIGHT))
    return sum(weight * len(found.find_distinct(words)) for found, weight in texts)


# Words ----------------------------------------------------------------------------------------------------------------


class ContextWords:
    """The context words of all known brands in one normalized text, found in one pass."""

    def __init__(self, text: str, gazetteer: Gazetteer) -> None:
        self._text = text
        self._ranges_by_word: defaultdict[str, list[OffsetRange]] = defaultdict(list)
        for start, end, word in _build_automaton(gazetteer).find(text):
            self._ranges_by_word[word].append((start, end))
        self._ranges_by_words: dict[frozenset[str], list[OffsetRange]] = {}

    def find(self, words: frozenset[str]) -> list[OffsetRange]:
        """Return the ranges in order without overlaps, preferring longer words; alphabetic words as whole words."""
        if words not in self._ranges_by_words:
            self._ranges_by_words[words] = list(self._find(words))
        return self._ranges_by_words[words]

    def find_distinct(self, words: frozenset[str]) -> set[str]:
        """Return which of the words occur."""
        return {self._text[start:end] for start, end in self.find(words)}

    def _find(self, words: frozenset[str]) -> Iterator[OffsetRange]:
        position = 0
        ranges = chain.from_iterable(self._ranges_by_word[word] for word in self._ranges_by_word.keys() & words)
        for start, end in dict(sorted(ranges)).items():  # of those at one place the longest remains
            if start >= position:
                position = end
                is_alphabetic = self._text[start].isascii() or self._text[end - 1].isascii()
                if not is_alphabetic or is_whole_word(self._text, start, end):
                    yield start, end


@lru_cache(maxsize=4)
def _build_automaton(gazetteer: Gazetteer) -> Automaton[str]:
    of_brands = ((*brand.brand_context, *brand.word_context) for brand in gazetteer.brands.values())
    return Automaton({word: word for word in chain(gazetteer.brand_context, *of_brands)})


@lru_cache(maxsize=4096)
def _get_sense_words(known_brand: KnownBrand | None, gazetteer: Gazetteer) -> tuple[frozenset[str], frozenset[str]]:
    """Return the context words of the brand, with those of any brand, and of the ordinary word."""
    if known_brand is None:
        return frozenset(gazetteer.brand_context), frozenset()
    return frozenset((*known_brand.brand_context, *gazetteer.brand_context)), frozenset(known_brand.word_context)
