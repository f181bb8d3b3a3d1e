"""Evidence from the form of a text that a name which is also a word means the brand: place, case, neighbours, grammar.

Each function returns a score for the brand and one for the word. A score of 1 is enough for a decision if nothing
contradicts it.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from diagnosis.analysis.matching.lexicon import (
    Segmentation,
    is_chinese_word,
    is_counted_phrase,
    is_english_phrase,
    is_english_word,
    split_words,
)
from diagnosis.analysis.matching.names import NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText
from diagnosis.analysis.matching.structure import Group, Slot

STRONG, CLEAR, WEAK = 2.0, 1.5, 0.5


class Evidence(NamedTuple):
    """Scores for the brand and for the ordinary word."""

    brand: float = 0.0
    word: float = 0.0

    def add(self, other: "Evidence") -> "Evidence":
        return Evidence(self.brand + other.brand, self.word + other.word)


# Place in lists, tables, enumerations ---------------------------------------------------------------------------------

BRAND_TITLE = re.compile(r"品牌|牌子|厂商|厂家|公司|brand|company|maker|vendor", re.IGNORECASE)
_MODEL_TAIL = re.compile(
    r"(?:(?:[\s-]?[A-Za-z][A-Za-z+.]{0,12}){0,3}[\s-]?[A-Za-z]{0,3}\d[\w+.-]*(?:\s?[A-Za-z0-9+]+){0,4}|\s?[A-Z][\w+ .-]*)?"
)


class PlaceEvidence:
    """Evidence from the groups of a text. `matches` are the names found in it."""

    def __init__(self, normalized: NormalizedText, groups: Sequence[Group], matches: Sequence[NameMatch]) -> None:
        self._by_start: dict[int, list[tuple[Group, Slot, bool]]] = {}
        self._by_end: dict[int, list[tuple[Group, Slot]]] = {}
        self._named = {
            normalized.start_offsets[match.start]: not match.name.is_ambiguous for match in matches
        }
        self._named_ends = {
            normalized.end_offsets[match.end - 1]: not match.name.is_ambiguous for match in matches
        }
        self._counts: dict[int, tuple[int, int, int]] = {}
        for group in groups:
            for index, slot in enumerate(group.slots):
                self._by_start.setdefault(slot.start, []).append((group, slot, index == len(group.slots) - 1))
                if group.kind == "enumeration" and not index:
                    self._by_end.setdefault(slot.end, []).append((group, slot))

    def get(self, start: int, end: int) -> Evidence:
        """Return the evidence for a name at [start, end) of the original text."""
        evidence = Evidence()
        for group, slot, is_last in self._by_start.get(start, ()):
            tail = slot.text[end - slot.start :] if end <= slot.end else ""
            if _MODEL_TAIL.fullmatch(tail) or (is_last and group.kind == "enumeration" and end <= slot.end):
                evidence = max(evidence, self._rate(group), key=sum)
            elif group.kind in ("list", "table") and end <= slot.end and not tail.startswith("的"):
                rated = self._rate(group)
                evidence = max(evidence, Evidence(rated.brand / 2, rated.word / 2), key=sum)
        for group, slot in self._by_end.get(end, ()):
            if slot.start < start:
                evidence = max(evidence, self._rate(group), key=sum)
        return evidence

    def _rate(self, group: Group) -> Evidence:
        named, doubtful, ordinary = self._count(group)
        if group.kind == "table" and BRAND_TITLE.search(group.title):
            return Evidence(STRONG)
        if group.kind == "emphasis":
            return Evidence(1.0 if named or ordinary <= doubtful else 0.0)
        if named and 2 * named >= ordinary:
            return Evidence(STRONG)
        if ordinary > named:
            return Evidence(0.0, CLEAR)
        if group.kind == "list":
            return Evidence(1.0 if doubtful > 1 else WEAK)
        return Evidence(1.0 if doubtful > 1 else 0.0)

    def _count(self, group: Group) -> tuple[int, int, int]:
        """Return the number of slots with certain names, with doubtful names, and with ordinary words."""
        counts = self._counts.get(id(group))
        if counts is None:
            named = doubtful = ordinary = 0
            for index, slot in enumerate(group.slots):
                is_certain = self._named.get(slot.start)
                if is_certain is None and group.kind == "enumeration" and not index:
                    is_certain = self._named_ends.get(slot.end)
                if is_certain is None:
                    is_ordinary = (is_chinese_word if group.kind == "enumeration" else is_ordinary_text)(slot.text)
                    ordinary += is_ordinary
                    named += not is_ordinary and looks_like_name(slot.text)
                else:
                    named, doubtful = named + is_certain, doubtful + (not is_certain)
            counts = self._counts[id(group)] = named, doubtful, ordinary
        return counts


def is_ordinary_text(text: str) -> bool:
    """Return whether a text consists of ordinary words only."""
    folded = text.strip().lower()
    if re.fullmatch(r"[a-z' -]+", folded):
        return is_english_phrase(folded) and not (text[:1].isupper() and " " not in text)
    han = re.sub(r"[^\u3400-\u9fff]+", "", folded)
    if not han or len(han) < len(folded.replace(" ", "")) / 2:
        return False
    return all(is_chinese_word(word.text) or len(word.text) == 1 for word in split_words(han)) and any(
        len(word.text) > 1 for word in split_words(han)
    )


_GRAMMATICAL_TAGS = ("u", "d", "p", "c", "r", "y")


def looks_like_name(text: str) -> bool:
    """Return whether a text is a name and no ordinary word: Kettlewood, Garmin Forerunner 265, 木石坊."""
    if re.fullmatch("[\u3400-\u9fff]{2,5}", text):
        return not is_ordinary_text(text) and not any(
            word.tag.startswith(_GRAMMATICAL_TAGS) for word in split_words(text)
        )
    words = re.findall(r"[A-Za-z][A-Za-z'’&.-]*", text)
    is_latin = bool(words) and len(text) <= 30 and not re.search("[\u3400-\u9fff]", text)
    return is_latin and words[0][:1].isupper() and not is_english_word(words[0].lower())


# Case of letters ------------------------------------------------------------------------------------------------------

_POSSESSIVE_OR_VERB = re.compile(
    r"['’]s\s|\s(?:is|isn't|was|has|have|offers?|makes?|sells?|costs?|provides?|lets|also|remains|uses|builds|runs|does|"
    r"comes|supports|focuses|stands|wins|leads|keeps|gives|works)\b"
)
_PREVIOUS_WORD = re.compile(r"([A-Za-z][\w'’-]*)\s$")
_NEXT_WORD = re.compile(r"\s([A-Za-z][\w'’-]*)")
_SENTENCE_START = re.compile(r"(?:^|[.!?。！？;；:：\n|*#>•·(（\"“”]|\d[.)]|\s-)\s*$")
_IS_HAN = re.compile("[\u3400-\u9fff]")


def get_case_evidence(normalized: NormalizedText, match: NameMatch, *, is_neighbour_named: bool) -> Evidence:
    """Return evidence from capitals, for a name in letters that is also a word."""
    start, end = normalized.get_original_range(match.start, match.end)
    text, written = normalized.original, normalized.original[start:end]
    written = unicodedata.normalize("NFKC", written)
    if not match.name.spelling.isascii() or not any(character.isalpha() for character in written):
        return Evidence()
    before, after = text[max(0, start - 60) : start], text[end : end + 60]
    is_chinese = bool(_IS_HAN.search(before[-12:]) or _IS_HAN.search(after[:12]))
    own = match.name.written
    if written.islower():
        if any(character.isupper() for character in own):
            return Evidence(0.0, WEAK if is_chinese else STRONG)
        return Evidence(WEAK) if is_chinese else Evidence(0.0, CLEAR)
    if is_chinese:
        return Evidence(CLEAR)
    if _is_part_of_title(before, after, written) and not is_neighbour_named:
        return Evidence(WEAK, WEAK)
    if _SENTENCE_START.search(before):
        is_compound = " " in written and all(word[:1].isupper() for word in written.split())
        has_inner_capital = written != written.capitalize() and written == own and not is_compound
        is_subject = bool(_POSSESSIVE_OR_VERB.match(after)) and match.name.spelling not in _SUBJECT_WORDS
        return Evidence(CLEAR) if is_compound or has_inner_capital else Evidence(1.0 if is_subject else 0.0)
    return Evidence(CLEAR)


# A sentence may begin with these and a verb: "This is", "All have".
_SUBJECT_WORDS = frozenset("this that all both each some one it he she they we you what who which there here".split())


def _is_part_of_title(before: str, after: str, written: str) -> bool:
    """Return whether the word before, which begins no sentence, is capitalized too: Times Square, Choosing The Right Fit."""
    previous = _PREVIOUS_WORD.search(before)
    if not previous or not previous[1][0].isupper() or previous[1].isupper():
        return False
    return not _SENTENCE_START.search(before[: previous.start()]) or not is_english_word(previous[1].lower())


# Grammar of Chinese ---------------------------------------------------------------------------------------------------

_DEGREE = re.compile(r"(?:近乎|几乎|接近|追求|非常|十分|比较|更加|最为|尽善尽|不够|如此|这么|那么|不太|很|更|太|最|较|挺|极|不)$")
_ASPECT_PHRASES = ("到", "起来", "起", "着", "过", "于", "地")
_CHOICE = re.compile(r"(?:推荐|首推|首选|优选|认准|选|品牌|牌子|国货|国产|竞品|友商|品牌有|比如|例如|如|像)[：: 「“]?$")
_MODEL = re.compile(r"[ -]?(?:[a-z][a-z+]{0,11}[ -]?\d|[a-z]{1,3}\d|[a-z]{2,12})[a-z0-9+]*")
_NUMBER = re.compile(r" ?(\d{1,4})(?![\d.%℃°:])([\u3400-\u9fff]?)")
_UNITS = frozenset("个只条把颗粒斤克元块年月日号天次点分种盏杯头匹位群棵袋盒些万千百岁米度公毫升口口人家座里")


def get_grammar_evidence(segmentation: Segmentation, text: str, match: NameMatch) -> Evidence:
    """Return evidence from the words before and after a Chinese name."""
    if not _IS_HAN.match(text[match.start]):
        return Evidence()
    before, after = text[max(0, match.start - 8) : match.start], text[match.end : match.end + 16]
    brand = word = 0.0
    number = _NUMBER.match(after)
    if (number and number[2] not in _UNITS) or (not number and _MODEL.match(after)):
        brand += STRONG
    if _CHOICE.search(before):
        brand += WEAK
    if _DEGREE.search(before):
        word += CLEAR
    if _is_counted(segmentation, match.start):
        word += CLEAR
    if before.endswith("《") and after.startswith("》"):
        word += STRONG
    if after.startswith(_ASPECT_PHRASES) and segmentation.get_word(match.end - 1).tag[:1] in ("v", "a"):
        word += CLEAR
    if is_counted_phrase(match.name.spelling) and after and segmentation.get_word(match.end).tag == "n":
        word += CLEAR  # 一盏茶
    if after.startswith(("化", "性", "感", "主义", "们")):
        word += CLEAR
    return Evidence(brand, word)


# Measure words of products: 「一台小米」 may be the brand, 「一把小米」 is not.
_PRODUCT_MEASURES = frozenset("款台部双件家辆瓶支套箱罐间店年月日元次")


def _is_counted(segmentation: Segmentation, start: int) -> bool:
    """Return whether a number with a measure word stands directly before: 一锅豆包."""
    index = segmentation.get_index(start)
    previous, before = segmentation.get_word_at(index - 1), segmentation.get_word_at(index - 2)
    if previous is None or not _IS_HAN.match(previous.text[-1]) or previous.text[-1] in _PRODUCT_MEASURES:
        return False
    is_measure = len(previous.text) == 1 and before is not None and before.tag == "m" and bool(_IS_HAN.match(before.text))
    return previous.tag[:1] in ("m", "q") or is_measure


def get_question_words(question: str) -> frozenset[str]:
    """Return the nouns of a normalized question, which tend to be the category of a product."""
    return frozenset(
        word.text for word in split_words(question) if word.tag.startswith("n") and len(word.text) > 1
    )
