"""Panels: a brand with a set of questions and a set of platforms, in any order."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable


def compute_panel_key(brand: str, questions: Iterable[str], platforms: Iterable[str]) -> str:
    """Return the key of a panel, 64 hexadecimal digits.

    Keys are stored. Their normalization is therefore independent of that of brand matching, which may change.
    """
    key_parts = [
        normalize_panel_text(brand),
        sorted({normalize_panel_text(text) for text in questions}),
        sorted(set(platforms)),
    ]
    return hashlib.sha256(json.dumps(key_parts, ensure_ascii=False).encode()).hexdigest()


def normalize_panel_text(text: str) -> str:
    """Return the text without differences of width and case, and without redundant spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
