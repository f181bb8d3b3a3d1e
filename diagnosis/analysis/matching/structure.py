"""The structure of an answer: list items, table cells, emphasized texts and enumerations, where brands tend to stand.

A *slot* is a place for one name, such as the head of a list item; the slots of one list, column or enumeration are a
*group*. All offsets are those of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple

from diagnosis.analysis.matching.markup import find_emphasized

_ITEM = re.compile(
    r"^(?P<indent>[ \t\u3000>]*)(?:#{1,6}[ \t]+)?(?P<bold>\*{2,3})?"
    r"(?P<marker>[-*+•·▪◦●○■–—][ \t\u3000]+|[(（]?\d{1,2}[.)、．）](?!\d)|\d\ufe0f?\u20e3|[①-⑳❶-❿]"
    r"|[一二三四五六七八九十]{1,3}[、.．]"
    r"|(?:第[一二三四五六七八九十\d]{1,2}(?:名|位|款|个)?|TOP ?\d{1,2}|No\. ?\d{1,2})[：:、. ]"
    r"|[^\w\s\u3000-\u303f\uff00-\uffef!-/:-@\[-`{-~“”‘’…]{1,4}[ \t\u3000]*)?[ \t\u3000]*"
    r"(?P<content>\S[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_LABELLED_LINE = re.compile(r"[ \t]*[^\s：:，。|][^：:，。；|]{0,18}[：:]\s*\S")
_COLON = re.compile(r"[^\n：:。！？；|]{0,25}[：:][*_]{0,3}[ \t]*(?=\S)")
_HEAD_END = re.compile(
    r"[：:（(【\[,，。；;！!？?|、/]|\s?(?:—|–|--|-(?=\s)|→|=|～|~(?!~))|\s-|\.(?=\s|$)|\*\*(?=.)|\n|$"
)
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|\*\*[^*\n]+\*\*[：:]?[ \t]*$)", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t:|-]*-[ \t:|-]*$")
_SEPARATOR = re.compile(
    r"\s?[、/／｜&+＋]\s?|, (?:and |or )?|\s?(?:以及|或者|还是|[和与及或跟])\s?|\s(?:and|or|vs\.?|versus)\s",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[。！？!?；;：:\n（()），|]|,(?! )|\.(?=\s|$)|\s[–—-]\s")
_EDGES = " \t\u3000*_`~\"'“”‘’「」『』《》【】[]<>#。.,，：:！!"
_NUMBER = re.compile(r"[*_#\s]*\d{1,2}[.)、．）][ \t]*(?=[^\d\s])")
MAX_SLOT_LENGTH = 40
MAX_SLOTS = 400


class Slot(NamedTuple):
    """A place for one name at [start, end), without markers and quotation marks."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Group:
    """Slots of one kind.

    kind: "list"; "labels" of lines without a marker; "labelled", what labels introduce, with these in `labels`; "table"
    with the header of the column as `title`; "enumeration"; "emphasis".
    """

    kind: str
    slots: list[Slot] = field(default_factory=list)
    title: str = ""
    labels: list[Slot] = field(default_factory=list)


def find_groups(text: str) -> list[Group]:
    """Return the groups of a text; at most MAX_SLOTS slots of each kind."""
    emphasized = [slot for start, end in find_emphasized(text)[:MAX_SLOTS] if (slot := _make_slot(text, start, end))]
    return [
        *_find_lists(text),
        *_find_tables(text),
        *_find_enumerations(text),
        *([Group("emphasis", emphasized)] if emphasized else []),
    ]


def _make_slot(text: str, start: int, end: int) -> Slot | None:
    """Return a slot without the characters around its text; None if nothing or too much remains."""
    number = _NUMBER.match(text, start, end)
    start = number.end() if number else start
    remaining = text[start:end].lstrip(_EDGES)
    start, stripped = end - len(remaining), remaining.rstrip(_EDGES)
    return Slot(start, start + len(stripped), stripped) if 0 < len(stripped) <= MAX_SLOT_LENGTH else None


# Lists ----------------------------------------------------------------------------------------------------------------


def _find_lists(text: str) -> Iterator[Group]:
    """Yield the heads of list items and what their labels introduce: 「音质最好：山岚」.

    Items of one kind of marker and one indentation are a list, as are lines that begin with a label.
    """
    items: dict[tuple[int, str], list[Slot]] = {}
    for line in islice(_ITEM.finditer(text), MAX_SLOTS):
        marker = line["marker"]
        kind = re.sub(r"\d+|[一二三四五六七八九十①-⑳❶-❿]+", "1", marker.strip()) if marker else _get_kind(line.group())
        start = line.start("bold") if line["bold"] and not marker else line.start("content")
        slot = _make_head(text, start, line.end()) if kind else None
        if slot:
            items.setdefault((len(line["indent"]), kind), []).append(slot)
    for (_indent, kind), slots in items.items():
        yield Group("labels" if kind == "label" else "list", slots)
        pairs = [(slot, value) for slot in slots if (value := _find_labelled(text, slot))]
        if pairs:
            yield Group("labelled", [value for _label, value in pairs], labels=[label for label, _value in pairs])
    yield from _find_inline_lists(text)


def _get_kind(line: str) -> str:
    """Return the kind of a line without a marker: a heading, a label, or none."""
    if _HEADING.match(line):
        return "#"
    return "label" if _LABELLED_LINE.match(line) else ""


def _find_labelled(text: str, label: Slot) -> Slot | None:
    """Return the head of what follows the colon after a label: 「便宜、好用（免费）：山岚」."""
    colon = _COLON.match(text, label.end)
    line_end = text.find("\n", label.end)
    return _make_head(text, colon.end(), line_end if line_end > 0 else len(text)) if colon else None


_INLINE_NUMBER = re.compile(r"(?<![\d.])(?P<number>\d{1,2})[.)、．）][ \t]*(?=\S)(?!\d)")


def _find_inline_lists(text: str) -> Iterator[Group]:
    """Yield lists in one line: 「1. Kettlewood 2. 一盏」."""
    for line in re.finditer(r"[^\n]+", text):
        numbers = list(islice(_INLINE_NUMBER.finditer(text, line.start(), line.end()), MAX_SLOTS))
        ordered = [number for index, number in enumerate(numbers) if int(number["number"]) == index + 1]
        if len(ordered) > 1 and len(ordered) == len(numbers):
            ends = [number.start() for number in ordered[1:]] + [line.end()]
            heads = [_make_head(text, number.end(), end) for number, end in zip(ordered, ends, strict=True)]
            yield Group("list", [head for head in heads if head])


def _make_head(text: str, start: int, end: int) -> Slot | None:
    """Return the head of an item: its emphasized beginning, or what precedes the first punctuation mark."""
    opening = re.compile(r"[ \t]*(\*{1,3}|__|「|“|【|《)").match(text, start, end)
    if opening:
        closing = {"「": "」", "“": "”", "【": "】", "《": "》"}.get(opening[1], opening[1])
        close = text.find(closing, opening.end(), end)
        if close > 0:
            head = _make_head_until_punctuation(text, opening.end(), close)
            if head:
                return head
    return _make_head_until_punctuation(text, start, end)


def _make_head_until_punctuation(text: str, start: int, end: int) -> Slot | None:
    while start < end and text[start] in _EDGES:
        start += 1
    head_end = _HEAD_END.search(text, start, end)
    return _make_slot(text, start, head_end.start() if head_end else end)


# Tables ---------------------------------------------------------------------------------------------------------------


def _find_tables(text: str) -> Iterator[Group]:
    """Yield the columns of Markdown tables, without their headers."""
    if "|" not in text:
        return
    lines = [(match.start(), match.group()) for match in islice(re.finditer(r"[^\n]+", text), MAX_SLOTS)]
    for is_table, rows_iterator in groupby(lines, key=lambda line: line[1].count("|") >= 1):
        rows = list(rows_iterator)
        if not is_table or len(rows) < 3 or not any(_TABLE_RULE.match(row) for _start, row in rows):
            continue
        cells = [list(_split_row(text, start, row)) for start, row in rows if not _TABLE_RULE.match(row)]
        for index, header in enumerate(cells[0]):
            slots = [row[index] for row in cells[1:] if index < len(row)]
            title = header.text if header else ""
            yield Group("table", [slot for slot in slots if slot][:MAX_SLOTS], title)


def _split_row(text: str, start: int, row: str) -> Iterator[Slot | None]:
    for cell in re.finditer(r"[^|]+", row.strip(" \t|") and row):
        if cell.group().strip() or 0 < cell.start() < len(row) - 1:
            yield _make_slot(text, start + cell.start(), start + cell.end())


# Enumerations ---------------------------------------------------------------------------------------------------------


def _find_enumerations(text: str) -> Iterator[Group]:
    """Yield the members of enumerations: at least two texts joined by 、 or /, or three joined otherwise."""
    position, count = 0, 0
    for end in [*_CLAUSE_END.finditer(text), None]:
        clause_end = end.start() if end else len(text)
        separators = list(islice(_SEPARATOR.finditer(text, position, clause_end), MAX_SLOTS - count))
        if separators:
            bounds = [position, *(bound for one in separators for bound in one.span()), clause_end]
            slots = [_make_slot(text, *bounds[index : index + 2]) for index in range(0, len(bounds), 2)]
            members = [slot for slot in slots if slot]
            count += len(members)
            if len(members) > 1:
                yield Group("enumeration", members)
            if count >= MAX_SLOTS:
                return
        position = end.end() if end else clause_end
