"""The text of a reply: reasoning taken out, unstorable characters removed, and offsets that stay right."""

import re
from dataclasses import dataclass, field

from diagnosis.replies import MAX_ANSWER_CHARACTERS, CitationSpan

_TAG = r"think|thinking|thought|reasoning"
_REASONING = re.compile(rf"<({_TAG})>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_REASONING_WITHOUT_START = re.compile(rf"\A(.*?)</(?:{_TAG})>", re.IGNORECASE | re.DOTALL)


def remove_unstorable_characters(text: str) -> str:
    """Return text that PostgreSQL can store: no NUL, no lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class AnswerText:
    """The text of an answer without its reasoning. is_cut: it was longer than MAX_ANSWER_CHARACTERS.

    kept: the parts [start, end) of the raw text that the text consists of.
    """

    text: str
    reasoning: str
    is_cut: bool
    kept: tuple[tuple[int, int], ...]

    def map_span(self, span: CitationSpan) -> CitationSpan | None:
        """Return a span of the raw text as a span of the text; None if nothing of it is left."""
        start, end = self._map_offset(span.start), self._map_offset(span.end)
        return CitationSpan(start, end, span.sources) if start < end else None

    def _map_offset(self, offset: int) -> int:
        mapped = 0
        for start, end in self.kept:
            mapped += max(0, min(offset, end) - start)
        return mapped


def clean_answer_text(raw: str) -> AnswerText:
    """Separate the reasoning that a model writes into its text, and trim the rest."""
    blocks = list(_REASONING.finditer(raw))
    removed = [match.span() for match in blocks]
    parts = [match.group(2).strip() for match in blocks]
    headless = _REASONING_WITHOUT_START.match(raw)
    if headless and not (blocks and blocks[0].start() < headless.end(1)):
        removed.insert(0, headless.span())
        parts.insert(0, headless.group(1).strip())
    removed += [match.span() for match in re.finditer("\x00", raw)]
    kept = _invert(sorted(removed), len(raw))
    kept = _trim(raw, kept)
    total = sum(end - start for start, end in kept)
    if total > MAX_ANSWER_CHARACTERS:
        kept = _trim(raw, _limit(kept, MAX_ANSWER_CHARACTERS))
    text = remove_unstorable_characters("".join(raw[start:end] for start, end in kept))
    reasoning = remove_unstorable_characters("\n".join(part for part in parts if part))
    return AnswerText(text, reasoning, total > MAX_ANSWER_CHARACTERS, tuple(kept))


def _invert(removed: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    kept, position = [], 0
    for start, end in removed:
        if start > position:
            kept.append((position, start))
        position = max(position, end)
    return [*kept, (position, length)] if position < length else kept


def _trim(raw: str, kept: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop white space at both ends of the kept parts."""
    kept = list(kept)
    while kept:
        start, end = kept[0]
        start += len(raw[start:end]) - len(raw[start:end].lstrip())
        kept[0] = (start, end)
        if start < end:
            break
        kept.pop(0)
    while kept:
        start, end = kept[-1]
        end = start + len(raw[start:end].rstrip())
        kept[-1] = (start, end)
        if start < end:
            break
        kept.pop()
    return kept


def _limit(kept: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    limited = []
    for start, end in kept:
        end = min(end, start + length)
        length -= end - start
        if start < end:
            limited.append((start, end))
    return limited


@dataclass
class RawText:
    """Text joined from parts, with the citations that refer to it."""

    parts: list[str] = field(default_factory=list)
    spans: list[CitationSpan] = field(default_factory=list)
    length: int = 0

    def add(self, part: str) -> int:
        """Append a part and return where it begins."""
        start = self.length
        self.parts.append(part)
        self.length += len(part)
        return start

    def cite(self, start: int, end: int, sources: list[int]) -> None:
        """Add a citation of [start, end) of the joined text; one outside of the text or without sources is ignored."""
        if 0 <= start < end <= self.length and sources:
            self.spans.append(CitationSpan(start, end, tuple(sources)))

    def join(self) -> str:
        """Return the joined text."""
        return "".join(self.parts)
