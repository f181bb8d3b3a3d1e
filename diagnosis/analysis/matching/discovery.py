"""Guess brands that nobody listed, from their places: heads of list items, cells of tables, names beside known brands.

A place is believed when its group also holds certain brands, names that are no ordinary words, or a column for brands.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from diagnosis.analysis.matching.evidence import is_ordinary_text, looks_like_name
from diagnosis.analysis.matching.lexicon import (
    FUNCTION_TAGS,
    is_chinese_word,
    is_english_word,
    split_words,
)
from diagnosis.analysis.matching.normalization import normalize_spelling
from diagnosis.analysis.matching.places import BRAND_TITLE
from diagnosis.analysis.matching.structure import Group, Slot

MAX_DISCOVERED = 30
MAX_HAN_LENGTH, MAX_LATIN_LENGTH = 6, 30
_NAME_TITLE = re.compile(
    r"产品|名称|型号|款式|店|平台|工具|软件|推荐|product|name|model|tool|app|option|service", re.IGNORECASE
)
_ASKS_FOR_BRANDS = re.compile(
    r"牌子|品牌|哪家|哪个|哪些|哪款|推荐|有什么|brand|compan|best|which|recommend|alternative|good", re.IGNORECASE
)
_HAN_NAME = re.compile(r"[\u3400-\u9fff·]{2,}")
_LATIN_NAME = re.compile(
    r"[A-Z0-9][\w'’&.+-]*(?: (?:[A-Z0-9&][\w'’&.+-]*|of|the|and|de|la|le))*|[a-z]+[A-Z]\w*|[a-z]{4,}"
)
_NAME_TAGS = ("nr", "nz", "nrt", "g", "j", "ag", "ng", "ns")
_DESCRIPTIVE_ENDINGS = ("式", "型", "化", "类", "款", "党", "性", "感", "客户", "人群")
_NEEDS_CERTAIN_BRAND = frozenset({"enumeration", "emphasis", "labels"})  # kinds of groups that say little by themselves
_ENUMERATION_END = re.compile(r"等|都|也|的|这|这类|之类|均|是|比较|更|各|两|三|几|都是|to |are |is |all |both |, ")


@dataclass(frozen=True)
class NamedRange:
    """A name that is already known to stand at [start, end), certain or not."""

    start: int
    end: int
    is_certain: bool


def discover_brands(text: str, groups: Sequence[Group], known: Sequence[NamedRange], question: str) -> list[str]:
    """Return guessed names of brands in order of appearance, as written; known ones are not repeated."""
    is_asked = bool(_ASKS_FOR_BRANDS.search(question))
    guesses = [guess for group in groups for guess in _discover_in_group(group, known, is_asked)]
    if guesses or any(one.is_certain for one in known):
        guesses += _discover_in_prose(text, known)
    found: dict[str, tuple[int, str]] = {}
    for start, name in sorted(guesses):
        found.setdefault(normalize_spelling(name), (start, name))
    return [name for _start, name in found.values()][:MAX_DISCOVERED]


def _discover_in_group(group: Group, known: Sequence[NamedRange], is_asked: bool) -> Iterator[tuple[int, str]]:
    slots = _get_unlabelled(group, known)
    named = sum(_find_known(slot, known, only_certain=True) for slot in slots)
    if not named and group.kind in _NEEDS_CERTAIN_BRAND:
        return
    others = [slot for slot in slots if not _find_known(slot, known)]
    names = sum(looks_like_name(_strip_model(slot.text)) for slot in others)
    ordinary = sum(is_ordinary_text(slot.text) for slot in others)
    if not _is_believed(group, named, names, ordinary, is_asked):
        return
    for slot in others:
        is_first = group.kind == "enumeration" and slot is group.slots[0]
        is_edge = is_first or (group.kind == "enumeration" and slot is group.slots[-1])
        name = _read_name(slot.text, is_edge=is_edge, is_first=is_first, is_strong=named + names > ordinary)
        if name and not (group.kind == "labelled" and not looks_like_name(name)):
            yield slot.start, name


def _get_unlabelled(group: Group, known: Sequence[NamedRange]) -> list[Slot]:
    """Return the slots without those that a name introduces: they describe it."""
    if group.kind != "labelled":
        return group.slots
    pairs = zip(group.labels, group.slots, strict=True)
    return [slot for label, slot in pairs if not _find_known(label, known) and not looks_like_name(label.text)]


def _is_believed(group: Group, named: int, names: int, ordinary: int, is_asked: bool) -> bool:
    """Return whether the slots of a group are brands, from the numbers of brands, apparent names, ordinary texts."""
    if group.kind == "table":
        is_titled = bool(BRAND_TITLE.search(group.title))
        return is_titled or (bool(named or _NAME_TITLE.search(group.title)) and named + names > ordinary)
    has_majority = named + names >= ordinary
    if group.kind in _NEEDS_CERTAIN_BRAND:
        return has_majority
    return has_majority and (named > 0 or names > 1 or (is_asked and names > 0))


_HAN_SUBJECT = re.compile(
    r"(?:^|[。；;：:！!，,\n]) ?([\u3400-\u9fff]{2,4}?)(?=的|在|从|上|也|则|适合|旗下)"
    r"|(?:可以看|可以买|替代|比如|例如|买|送)([\u3400-\u9fff]{2,4}?)(?=[的，。、；或这等])",
    re.MULTILINE,
)


def _discover_in_prose(text: str, known: Sequence[NamedRange]) -> Iterator[tuple[int, str]]:
    """Yield Chinese subjects of unknown words."""
    for match in islice(_HAN_SUBJECT.finditer(text), 10 * MAX_DISCOVERED):
        name, (start, end) = match[1] or match[2], match.span(1 if match[1] else 2)
        if _is_unknown_word(name) and not _find_known(Slot(start, end, name), known):
            yield start, name


def _is_unknown_word(text: str) -> bool:
    """Return whether a Chinese text is no word, but a name or characters that occur in names."""
    words = split_words(text)
    if any(word.tag.startswith((*FUNCTION_TAGS, "m", "f", "t")) for word in words) or is_ordinary_text(text):
        return False
    if len(words) == 1:
        return words[0].tag in ("nz", "nrt") and len(text) > 2 and not is_chinese_word(text)
    return all(len(word.text) == 1 for word in words) and any(word.tag in _NAME_TAGS for word in words)


def _find_known(slot: Slot, known: Sequence[NamedRange], *, only_certain: bool = False) -> bool:
    """Return whether a known name stands in a slot. `known` is in order, without overlaps."""
    index = bisect_right(known, slot.start, key=attrgetter("end"))
    while index < len(known) and known[index].start < slot.end:
        if known[index].is_certain or not only_certain:
            return True
        index += 1
    return False


def _read_name(text: str, *, is_edge: bool, is_first: bool, is_strong: bool) -> str:
    """Return the name that a slot holds, without model and product; empty if it holds none."""
    if is_edge:
        text = text.split(" ")[-1] if is_first and _HAN_NAME.search(text) else _ENUMERATION_END.split(text)[0].strip()
        return text if looks_like_name(text) else ""
    han = _HAN_NAME.match(text)
    if han:
        return _read_han_name(han.group(), text[han.end() :], is_strong=is_strong)
    latin = _LATIN_NAME.match(text)
    if not latin or len(latin.group()) > MAX_LATIN_LENGTH:
        return ""
    return _read_latin_name(latin.group(), text[latin.end() :])


def _read_han_name(name: str, rest: str, *, is_strong: bool) -> str:
    name = name.partition("的")[0]
    words = [word.text for word in split_words(name)]
    if (
        len(name) < 2
        or any(word.tag.startswith(FUNCTION_TAGS) for word in split_words(name))
        or name.endswith(_DESCRIPTIVE_ENDINGS)
    ):
        return ""
    while len(name) > 4 and len(words) > 1 and len(words[-1]) > 1:
        name = name.removesuffix(words.pop())
    if len(name) > MAX_HAN_LENGTH or len(name) < 2 or is_chinese_word(name) or re.match(r"[^\s（(A-Za-z0-9]", rest):
        return ""
    if is_ordinary_text(name):
        is_compound = len(words) > 1 and all(len(word) > 1 for word in words)
        return name if is_strong and len(name) <= 4 and not is_compound else ""
    return name


def _read_latin_name(name: str, rest: str) -> str:
    words = name.split(" ")
    kept: list[str] = []
    for word in words:
        if kept and (re.search(r"\d", word) or (not is_english_word(kept[0].lower()) and len(kept[0]) > 3)):
            break
        kept.append(word)
    name = " ".join(kept).rstrip(".-&'’")
    is_word = all(is_english_word(word.lower()) or word.lower() in ("of", "the", "and") for word in kept)
    if is_word and (len(kept) == 1 or len(kept) > 3 or name.islower() or (kept[1:] and kept[1].islower())):
        return ""
    if re.match(r" [a-z]+\b", rest) and is_english_word(rest.split()[0].lower()):
        return ""  # a description: "Gooseneck spout"
    return name if re.search("[A-Za-z]{2}", name) and not re.match(r"[\u3400-\u9fff]{5}", rest) else ""


def _strip_model(text: str) -> str:
    return re.sub(r"\s*[A-Za-z]*\d.*$", "", text).strip() or text
