"""Which diagnoses ask the same: one brand, the same questions, the same platforms, in any order."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable


def compute_panel_key(brand: str, questions: Iterable[str], platforms: Iterable[str]) -> str:
    """The panel as 64 hexadecimal digits: the same for the same brand, set of questions and set of platforms.

    It is stored, so it does not follow the matching of brands, which grows with every release.
    """
    key_parts = [
        normalize_panel_text(brand),
        sorted({normalize_panel_text(text) for text in questions}),
        sorted(set(platforms)),
    ]
    return hashlib.sha256(json.dumps(key_parts, ensure_ascii=False).encode()).hexdigest()


def normalize_panel_text(text: str) -> str:
    """Without width, case and superfluous spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
