"""Collect the sources of a reply in the platform's own order, and mark those that the answer cites."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from diagnosis.choices import SourceOrigin, Ternary
from diagnosis.platforms.protocols.text import RawText, remove_unstorable_characters
from diagnosis.platforms.protocols.urls import MAX_URL_CHARACTERS, get_page_key
from diagnosis.replies import MAX_SOURCES, ReplySource

MAX_TITLE_CHARACTERS = 300
MAX_SNIPPET_CHARACTERS = 1000
MAX_LABEL_CHARACTERS = 64


@dataclass
class SourceCollector:
    """Sources of one reply. A position is the place in the order of arrival, duplicates counted."""

    sources: list[ReplySource] = field(default_factory=list)
    cited_positions: set[int] = field(default_factory=set)

    def add(
        self,
        url: str,
        origin: SourceOrigin,
        *,
        label: str = "",
        title: str = "",
        site: str = "",
        published: str = "",
        snippet: str = "",
    ) -> int | None:
        """Add a source and return its position; None if it names nothing or there are too many."""
        if not (url or title or site) or len(self.sources) >= MAX_SOURCES:
            return None
        position = len(self.sources)
        self.sources.append(
            ReplySource(
                position,
                _storable(url, MAX_URL_CHARACTERS),
                origin,
                label=_storable(label, MAX_LABEL_CHARACTERS),
                title=_storable(title, MAX_TITLE_CHARACTERS),
                site=_storable(site, MAX_LABEL_CHARACTERS),
                published=_storable(published, MAX_LABEL_CHARACTERS),
                snippet=_storable(snippet, MAX_SNIPPET_CHARACTERS),
            )
        )
        return position

    def open(self, url: str, *, title: str = "", snippet: str = "") -> None:
        """Mark the results with this address as opened; add it if there is none."""
        found = self.find(url)
        for position in found:
            self.sources[position] = replace(self.sources[position], origin=SourceOrigin.OPENED)
        if not found:
            self.add(url, SourceOrigin.OPENED, title=title, snippet=snippet)

    def cite(self, url: str, *, title: str = "", site: str = "", published: str = "", snippet: str = "") -> list[int]:
        """Mark the sources with this address as cited and return their positions; add it if there is none."""
        found = self.find(url)
        for position in found:
            source = self.sources[position]
            self.sources[position] = replace(
                source,
                title=source.title or _storable(title, MAX_TITLE_CHARACTERS),
                snippet=source.snippet or _storable(snippet, MAX_SNIPPET_CHARACTERS),
            )
        if not found:
            position_added = self.add(
                url, SourceOrigin.CITATION, title=title, site=site, published=published, snippet=snippet
            )
            found = [] if position_added is None else [position_added]
        self.cited_positions.update(found)
        return found

    def cite_positions(self, positions: Sequence[int]) -> list[int]:
        """Mark the sources at these positions as cited; those that do not exist are ignored."""
        found = [position for position in positions if 0 <= position < len(self.sources)]
        self.cited_positions.update(found)
        return found

    def cite_marks(self, text: RawText, mark: re.Pattern[str], number: re.Pattern[str], positions: list[int]) -> int:
        """Cite by marks in the text, such as [2]. positions: of the numbered list, in its order.

        A number means the label of a source if all labels are different numbers, else the place in the list. Returns
        how many marks refer to a source.
        """
        by_number = self._number_positions(positions)
        raw, count = text.join(), 0
        for match in mark.finditer(raw):
            numbers = [int(digits) for digits in number.findall(match.group())]
            cited = self.cite_positions([by_number[value] for value in numbers if value in by_number])
            text.cite(match.start(), match.end(), list(dict.fromkeys(cited)))
            count += bool(cited)
        return count

    def build(self, others: Ternary) -> tuple[ReplySource, ...]:
        """Return the sources. others: what is known of those that nothing cites."""
        return tuple(
            replace(source, cited=Ternary.YES if source.position in self.cited_positions else others)
            for source in self.sources
        )

    def find(self, url: str) -> list[int]:
        """Return the positions of the sources that are the same page."""
        key = get_page_key(url)
        return [source.position for source in self.sources if url and get_page_key(source.url) == key]

    def _number_positions(self, positions: list[int]) -> dict[int, int]:
        labels = [self.sources[position].label for position in positions]
        if all(label.isdecimal() and int(label) > 0 for label in labels) and len(set(labels)) == len(labels):
            return {int(label): position for label, position in zip(labels, positions, strict=True)}
        return dict(enumerate(positions, 1))


def _storable(text: str, limit: int) -> str:
    return remove_unstorable_characters(text).strip()[:limit]
