"""Evidence from places: list items, cells, members of enumerations, emphasized texts."""

import re
from collections.abc import Sequence

from diagnosis.analysis.matching.evidence import CLEAR, STRONG, WEAK, Evidence, is_ordinary_text, looks_like_name
from diagnosis.analysis.matching.lexicon import is_chinese_word, is_person
from diagnosis.analysis.matching.names import BrandName, NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText
from diagnosis.analysis.matching.structure import Group, Slot

BRAND_TITLE = re.compile(r"品牌|牌子|厂商|厂家|公司|brand|company|maker|vendor", re.IGNORECASE)
_MODEL_TAIL = re.compile(
    r"(?:(?:[\s-]?[A-Za-z][A-Za-z+.]{0,12}){0,3}[\s-]?[A-Za-z]{0,3}\d[\w+.-]*(?:\s?[A-Za-z0-9+]+){0,4}"
    r"|\s?[A-Z][\w+ .-]*)?"
)
PERSON_WEIGHT = 2  # of the name of a person, relative to an ordinary word
GUESS_WEIGHT = 0.5  # of a text that looks like a name, relative to a certain brand


class PlaceEvidence:
    """Evidence from the groups of a text. `matches` are the names found in it."""

    def __init__(self, normalized: NormalizedText, groups: Sequence[Group], matches: Sequence[NameMatch]) -> None:
        self._by_start: dict[int, list[tuple[Group, Slot, bool]]] = {}
        self._by_end: dict[int, list[tuple[Group, Slot]]] = {}
        self._by_match_start = {normalized.start_offsets[match.start]: match.name for match in matches}
        self._by_match_end = {normalized.end_offsets[match.end - 1]: match.name for match in matches}
        self._counts: dict[int, tuple[float, int, int]] = {}
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
            elif group.kind != "emphasis" and end <= slot.end and not tail.startswith("的"):
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
        if group.kind in ("list", "labels", "labelled") and ordinary <= named + doubtful:
            return Evidence(1.0 if doubtful > 1 else WEAK)
        if ordinary > named:
            return Evidence(0.0, CLEAR)
        return Evidence(1.0 if doubtful > 1 else 0.0)

    def _count(self, group: Group) -> tuple[float, int, int]:
        """Return the number of slots with certain names, of doubtful names, and of slots with ordinary words."""
        if id(group) not in self._counts:
            named, ordinary, doubtful = 0.0, 0, set()
            for slot in group.slots:
                name = self._get_name(group, slot)
                if name and name.is_ambiguous:
                    doubtful.add(name.brand)
                elif name:
                    named += 1
                elif is_person(slot.text):
                    ordinary += PERSON_WEIGHT
                elif _is_ordinary(group, slot):
                    ordinary += 1
                elif looks_like_name(slot.text):
                    named += GUESS_WEIGHT
            self._counts[id(group)] = named, len(doubtful), ordinary
        return self._counts[id(group)]

    def _get_name(self, group: Group, slot: Slot) -> BrandName | None:
        """Return the name at the start of a slot, or at the end of the first one of an enumeration."""
        name = self._by_match_start.get(slot.start)
        is_first = group.kind == "enumeration" and slot is group.slots[0]
        return self._by_match_end.get(slot.end) if name is None and is_first else name


def _is_ordinary(group: Group, slot: Slot) -> bool:
    is_ordinary = is_chinese_word if group.kind == "enumeration" else is_ordinary_text
    return is_ordinary(slot.text)
