"""Find many texts in one pass over another, with an Aho-Corasick automaton."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick

Meaning = TypeVar("Meaning")


class Automaton(Generic[Meaning]):
    """Finds all occurrences of texts, overlaps included. meanings: what each text, which is not empty, stands for."""

    def __init__(self, meanings: Mapping[str, Meaning]) -> None:
        self._meanings = list(meanings.values())
        self._automaton = AhoCorasick(meanings, store_patterns=False)

    def find(self, text: str) -> Iterator[tuple[int, int, Meaning]]:
        """Yield start, end and meaning of each occurrence in order of the ends. text: has no lone surrogates."""
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            yield start, end, self._meanings[index]
