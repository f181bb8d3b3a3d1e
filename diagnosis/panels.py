"""Which diagnoses ask the same: one brand, the same questions, the same platforms, in any order."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable


def panel_of(brand: str, questions: Iterable[str], platforms: Iterable[str]) -> str:
    """The panel as 64 hexadecimal digits: the same for the same brand, set of questions and set of platforms.

    It is stored, so it does not follow the matching of brands, which grows with every release.
    """
    whole = [normal(brand), sorted({normal(text) for text in questions}), sorted(set(platforms))]
    return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()


def normal(text: str) -> str:
    """Without width, case and superfluous spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
