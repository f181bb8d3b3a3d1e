"""Where a name ends: boundaries of alphabetic words, and evidence from Chinese words, which have none.

An alphabetic name may be followed by an ending (Teslas) or by a model (OPPOReno13). A Chinese name is doubtful where
the words around it make more sense without it (精华|为主 for 华为), and as a part of a longer word (伊利诺伊 for 伊利).
"""

import re
from enum import Enum

from diagnosis.analysis.matching.lexicon import (
    Segmentation,
    Word,
    get_longer_words,
    is_chinese_name,
    is_chinese_word,
    is_english_phrase,
    is_english_word,
    split_words,
)
from diagnosis.analysis.matching.normalization import NormalizedText

# Latin, Greek and Cyrillic letters, digits, and combining accents; × and ÷ are excluded.
_WORD_CHARACTERS = "a-z0-9\u00df-\u00f6\u00f8-\u02af\u0300-\u036f\u0370-\u052f"
_is_word_character = re.compile(f"[{_WORD_CHARACTERS}]").match
_read_word = re.compile(f"[{_WORD_CHARACTERS}]*").match
_is_han = re.compile("[\u3400-\u9fff]").match

MIN_LENGTH_BEFORE_NUMBER = 4  # 「iPhone15」 mentions iPhone; 「how2」 may be anything
MIN_LENGTH_BEFORE_MODEL = 3
MIN_LENGTH_BEFORE_LOWER_CASE_MODEL = 5
_NUMBER = re.compile(r"\d{1,4}(?:pro|max|ultra|plus|mini|air|neo|s|x|i|t|e|v)*")
_MODEL = re.compile(r"[a-z]{1,7}\d{1,4}[a-z]{0,6}\d?")
_SHORT_MODEL = re.compile(r"[a-z]{1,2}\d{1,4}[a-z]{0,6}")
_PRODUCT = re.compile(r"[A-Z][a-z]{2,}")
_MARKERS = frozenset("*_~`<>\\")

# A longer word with one of these endings is still the brand: 百度网, 京东商城.
COMPANY_SUFFIXES = frozenset(
    re.split(
        r"\s+",
        """汽车 电动车 手机 电器 电脑 家居 家具 卫浴 瓷砖 洗发水 热水器 户外 体育 酒店 地产 集团 公司 网 旅行 快递 乳业
        商城 科技 股份 牌 家 店 超市 银行 饮料 药业 食品 品牌 官网 旗舰店""",
    )
)


def is_whole_word(normalized: str, start: int, end: int) -> bool:
    """Return whether no letter or digit follows or precedes an alphabetic text; Chinese has no such boundary."""
    return not _continues_before(normalized, start) and not _continues_after(normalized, end)


def is_name_in_text(text: NormalizedText, start: int, end: int) -> bool:
    """Return whether a text at [start, end) is not a part of an alphabetic word, apart from endings and models."""
    if _continues_before(text.text, start) and not _is_marked(text, start):
        return False
    if not _continues_after(text.text, end) or _is_marked(text, end):
        return True
    name, rest_end = text.text[start:end], _read_word(text.text, end).end()  # type: ignore[union-attr]
    rest = text.text[end:rest_end]
    if rest in ("s", "es"):
        # "Fords" is Ford, "apples" are no Apple, and "cities" no Citi.
        is_word = (
            is_english_word(name + rest)
            if is_english_phrase(name) is False
            else text.get_original(start, end).islower()
        )
        return len(name) >= 3 and name[-1].isalpha() and not is_word and not _is_foreign(text.text[rest_end:])
    return _is_model(name, rest, text.get_original(start, end), text.get_original(end, rest_end))


def _continues_before(text: str, start: int) -> bool:
    return bool(start and _is_word_character(text[start]) and _is_word_character(text[start - 1]))


def _continues_after(text: str, end: int) -> bool:
    return bool(end < len(text) and _is_word_character(text[end - 1]) and _is_word_character(text[end]))


def _is_marked(text: NormalizedText, position: int) -> bool:
    """Return whether markup stands before a position: **Nike**s."""
    between = text.original[text.end_offsets[position - 1] : text.start_offsets[position]]
    return text.end_offsets[position - 1] >= 0 and any(character in _MARKERS for character in between)


def _is_foreign(after: str) -> bool:
    """Return whether the next word has letters that are not English: "Cliniques esthetiques"."""
    word = re.match(r" ([a-z]+)", after)
    return bool(word and not is_english_word(word[1]))


def _is_model(name: str, rest: str, written: str, written_rest: str) -> bool:
    letters = sum(character.isalpha() for character in name)
    if _NUMBER.fullmatch(rest):
        return letters >= MIN_LENGTH_BEFORE_NUMBER and not name[-1].isdigit()
    if not written or not written_rest or not written[-1].isalpha() or letters < MIN_LENGTH_BEFORE_MODEL:
        return False
    starts_upper = written_rest[0].isupper()
    is_visible = starts_upper and (written[-1].islower() or bool(_PRODUCT.match(written_rest)))
    if _MODEL.fullmatch(rest) and is_visible:
        return True
    if _SHORT_MODEL.fullmatch(rest) and (starts_upper or letters >= MIN_LENGTH_BEFORE_LOWER_CASE_MODEL):
        return not is_english_phrase(name)
    is_product = is_visible and bool(_PRODUCT.fullmatch(written_rest)) and is_english_phrase(rest)
    return is_product and not is_english_phrase(name)


# Chinese words --------------------------------------------------------------------------------------------------------


class WordFit(Enum):
    """How a Chinese name fits the words of its text."""

    ALIGNED = "it begins and ends with a word"
    LINE = "it begins a longer word that names a company or product of the brand"
    LONGER = "it is a part of a longer word"
    STRADDLED = "the words around it are read better without it"


# Parts of speech of characters that stand alone: adverbs, prepositions, conjunctions, particles, pronouns, and so on.
_FUNCTION_TAGS = ("d", "p", "c", "u", "r", "f", "y", "x")
_AUXILIARIES = frozenset("能会可是有在要太很选看买用上挑换叫像去到给让把被")


def get_word_fit(segmentation: Segmentation, text: str, start: int, end: int) -> WordFit:
    """Return how a name at [start, end) fits the words of a normalized text."""
    first, last = segmentation.get_word(start), segmentation.get_word(end - 1)
    left = start - first.start if _is_han(text[start]) else 0
    right = last.end - end if _is_han(text[end - 1]) else 0
    if not left and not right:
        longer = _find_longer_word(segmentation, text, start, end)
        return _get_fit_inside(segmentation, longer, text, start, end) if longer else WordFit.ALIGNED
    if first == last:
        return _get_fit_inside(segmentation, first, text, start, end)
    index, last_index = segmentation.get_index(start), segmentation.get_index(end - 1)
    # With the words beside it: 维基|本身 is better than 维|基本|身.
    before, after = segmentation.get_word_at(index - 1), segmentation.get_word_at(last_index + 1)
    if left and before and _is_han(before.text):
        index, first = index - 1, before
    if right and after and _is_han(after.text):
        last_index, last = last_index + 1, after
    prefix = split_words(text[first.start : start]) if left else ()
    suffix = split_words(text[end : last.end]) if right else ()
    count, count_with_name = last_index - index + 1, len(prefix) + 1 + len(suffix)
    has_orphan = (left and _is_orphan(prefix[-1], (*_FUNCTION_TAGS, "v"))) or (right and _is_orphan(suffix[0]))
    if count < count_with_name or (count == count_with_name and has_orphan):
        return WordFit.STRADDLED
    return WordFit.ALIGNED


def _find_longer_word(segmentation: Segmentation, text: str, start: int, end: int) -> Word | None:
    """Return a word of the other dictionary that contains a name and ends where words of the text do: 爱国如家."""
    for word, offset in get_longer_words(text[start:end]):
        word_start, word_end = start - offset, start - offset + len(word)
        if text.startswith(word, max(0, word_start)) and segmentation.has_word(word_start, word_end):
            return Word(word_start, word_end, word, "")
    return None


def _get_fit_inside(segmentation: Segmentation, word: Word, text: str, start: int, end: int) -> WordFit:
    prefix, suffix = text[word.start : start], text[end : word.end]
    name = text[start:end]
    if not prefix and (
        suffix in COMPANY_SUFFIXES
        or ((is_chinese_word(suffix) or (len(suffix) > 1 and is_chinese_name(suffix))) and not is_chinese_word(name))
    ):
        return WordFit.LINE
    if not prefix and len(suffix) == 1 and word.end < len(text):  # 京东|方便 rather than 京东方|便
        following = segmentation.get_word(word.end)
        if is_chinese_word(suffix + following.text) or is_chinese_word(suffix + text[word.end]):
            return WordFit.ALIGNED
    return WordFit.LONGER


def _is_orphan(word: Word, standalone_tags: tuple[str, ...] = _FUNCTION_TAGS) -> bool:
    """Return whether a word is a single character that does not stand alone."""
    return len(word.text) == 1 and word.text not in _AUXILIARIES and not word.tag.startswith(standalone_tags)
