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

from diagnosis.matching.folding import FoldedText
from diagnosis.matching.knowledge import KnownBrand
from diagnosis.matching.names import Hit, is_whole_word

MOST_BESIDE = 80  # characters to each side that count as the same sentence
CLEARLY = 2.0  # how much more one sense must have for it than the other
LEAST_IN_ALL = 2  # words of one sense that settle it from anywhere in the answer
OF_QUESTION = 2  # how many words of the answer one of the question is worth
OF_BRAND = 0.6  # how much of a word another brand is worth
LEAST_BESIDE_ANYTHING = 0.3  # for a name of one character, which may be a part of any word
OF_CASE = 0.5  # and a name of letters that is written as the brand writes it


Span = tuple[int, int]


class Sense(Enum):
    """What is meant. SILENT: nothing tells."""

    BRAND = "brand"
    WORD = "word"
    UNCERTAIN = "uncertain"
    SILENT = "silent"


@dataclass(frozen=True)
class Place:
    """A text with all that was found in it; `text` as given, `question` folded."""

    text: str
    folded: FoldedText
    hits: Sequence[Hit]
    question: str
    common: tuple[str, ...]
    stops: list[int] = field(init=False)
    """Where in the folded text sentences end."""
    words: dict["Words", list[Span]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        found = _STOP.finditer(self.folded.folded)
        object.__setattr__(self, "stops", [match.start() for match in found if self._is_stop(match.start())])

    def _is_stop(self, index: int) -> bool:
        """A full stop, a new line, which is folded into a space, or the space behind a point."""
        folded = self.folded
        if folded.folded[index] != " ":
            return True
        if "\n" in self.text[folded.starts[index] : folded.ends[index]]:
            return True
        # 「1. 苹果」 is one sentence.
        return folded.folded[index - 1 : index] == "." and not folded.folded[max(0, index - 2) : index - 1].isdigit()

    def sentence_of(self, hit: Hit) -> tuple[int, int]:
        """Its bounds, at most MOST_BESIDE to each side."""
        left, right = bisect_left(self.stops, hit.start), bisect_left(self.stops, hit.end)
        start = self.stops[left - 1] + 1 if left else 0
        end = self.stops[right] if right < len(self.stops) else len(self.folded.folded)
        return max(start, hit.start - MOST_BESIDE), min(end, hit.end + MOST_BESIDE)

    def words_within(self, words: "Words", start: int, end: int) -> list[Span]:
        """Where some words are in a part of the folded text; the whole text is looked through once."""
        if words not in self.words:
            self.words[words] = words.find(self.folded.folded)
        spans = self.words[words]
        return spans[bisect_left(spans, start, key=_first) : bisect_right(spans, end - 1, key=_first)]

    def hits_within(self, start: int, end: int) -> Sequence[Hit]:
        """Those that start in a part of the folded text."""
        return self.hits[bisect_left(self.hits, start, key=_start) : bisect_right(self.hits, end - 1, key=_start)]


def _start(hit: Hit) -> int:
    return hit.start


def _first(span: Span) -> int:
    return span[0]


_STOP = re.compile("[。!?;！？；… ]")


def tell_senses(place: Place) -> list[Sense]:
    """One sense, never SILENT, for each hit."""
    senses = [_beside(place, hit) if hit.name.is_ambiguous else Sense.BRAND for hit in place.hits]
    rest: dict[str, Sense] = {}
    for hit, sense in zip(place.hits, senses, strict=True):
        if sense is Sense.SILENT and hit.name.spelling not in rest:
            rest[hit.name.spelling] = _elsewhere(place, hit, senses)
    return [
        rest[hit.name.spelling] if sense is Sense.SILENT else sense
        for hit, sense in zip(place.hits, senses, strict=True)
    ]


# In the sentence ------------------------------------------------------------------------------------------------------


def _beside(place: Place, hit: Hit) -> Sense:
    brand, word = _words_of(hit.name.known, place.common)
    start, end = place.sentence_of(hit)
    brand_spans = _around(hit, place.words_within(brand, start, end))
    word_spans = _around(hit, place.words_within(word, start, end))
    if any(span[0] == hit.end for span in brand_spans):
        return Sense.BRAND  # the noun right behind decides: 「苹果手机」
    others = [(other.start, other.end) for other in _others(place, hit, start, end)]
    as_brand = _weight(hit, brand_spans) + OF_BRAND * _weight(hit, others)
    as_word = _weight(hit, word_spans)
    if _is_written_so(place, hit, start):
        as_brand += OF_CASE
    if hit.name.known is None and as_brand < LEAST_BESIDE_ANYTHING:
        return Sense.UNCERTAIN
    return _compare(as_brand, as_word)


def _compare(as_brand: float, as_word: float) -> Sense:
    if not as_brand and not as_word:
        return Sense.SILENT
    if as_brand >= CLEARLY * as_word:
        return Sense.BRAND
    return Sense.WORD if as_word >= CLEARLY * as_brand else Sense.UNCERTAIN


def _around(hit: Hit, spans: Iterable[Span]) -> list[Span]:
    """Without what is a part of the name itself: 「牛」 in 「公牛」."""
    return [span for span in spans if not (hit.start <= span[0] and span[1] <= hit.end)]


def _weight(hit: Hit, spans: Iterable[Span]) -> float:
    return sum(1 / (1 + max(start - hit.end, hit.start - end, 0)) for start, end in spans)


def _others(place: Place, hit: Hit, start: int, end: int) -> list[Hit]:
    """Other brands in the sentence that are nothing else: brands come together."""
    return [
        other
        for other in place.hits_within(start, end)
        if other.name.brand != hit.name.brand and not other.name.is_ambiguous
    ]


def _is_written_so(place: Place, hit: Hit, sentence_start: int) -> bool:
    """A name of letters in the brand's own case, where not every word begins with a capital."""
    written = place.text[place.folded.starts[hit.start] : place.folded.ends[hit.end - 1]]
    if not hit.name.known or not written.isascii() or written not in hit.name.known.written:
        return False
    return bool(place.folded.folded[sentence_start : hit.start].strip())


# In the rest of the answer --------------------------------------------------------------------------------------------


def _elsewhere(place: Place, hit: Hit, senses: Sequence[Sense]) -> Sense:
    told = {
        sense
        for other, sense in zip(place.hits, senses, strict=True)
        if other.name.brand == hit.name.brand and sense in (Sense.BRAND, Sense.WORD)
    }
    if len(told) == 1:
        return told.pop()
    if told:
        return Sense.UNCERTAIN
    brand, word = _words_of(hit.name.known, ())
    others = {other.name.brand for other in place.hits if not other.name.is_ambiguous} - {hit.name.brand}
    as_brand = _count(brand, place) + len(others)
    as_word = _count(word, place)
    if max(as_brand, as_word) < LEAST_IN_ALL:
        return Sense.UNCERTAIN
    return _compare(as_brand, as_word)


def _count(words: "Words", place: Place) -> int:
    """Different words in the answer, and those in the question for more."""
    texts = ((place.folded.folded, 1), (place.question, OF_QUESTION))
    return sum(worth * len({text[start:end] for start, end in words.find(text)}) for text, worth in texts)


# Words ----------------------------------------------------------------------------------------------------------------


class Words:
    """Folded words to look for."""

    def __init__(self, words: Iterable[str]) -> None:
        self._automaton: Any = ahocorasick.Automaton()
        for word in words:
            self._automaton.add_word(word, len(word))
        self._automaton.make_automaton()

    def find(self, text: str) -> list[Span]:
        """Their places in order and apart, the longest first; a word of letters as a whole one."""
        if not len(self._automaton):
            return []
        spans = [(last + 1 - length, last + 1) for last, length in self._automaton.iter_long(text)]
        return [span for span in spans if is_whole_word(text, *span)]


@lru_cache(maxsize=1024)
def _words_of(known: KnownBrand | None, common: tuple[str, ...]) -> tuple[Words, Words]:
    """What tells the brand, and what tells the word."""
    if known is None:
        return Words(common), Words(())
    return Words((*known.as_brand, *common)), Words(known.as_word)
