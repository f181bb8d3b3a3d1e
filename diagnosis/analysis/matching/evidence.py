"""Evidence that a name which is also a word means the brand, as scores, and what a text by itself looks like.

A score of 1 is enough for a decision if nothing contradicts it. `places.py` takes evidence from lists and tables,
`capitals.py` from the case of letters, `grammar.py` from Chinese words beside the name.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from diagnosis.analysis.matching.lexicon import (
    FUNCTION_TAGS,
    is_common_word,
    is_counted_phrase,
    is_english_phrase,
    is_english_word,
    split_words,
)

STRONG, CLEAR, WEAK = 2.0, 1.5, 0.5


class Evidence(NamedTuple):
    """Scores for the brand and for the ordinary word."""

    brand: float = 0.0
    word: float = 0.0

    def add(self, other: "Evidence") -> "Evidence":
        """Return the sums of both."""
        return Evidence(self.brand + other.brand, self.word + other.word)


@lru_cache(maxsize=16384)
def is_ordinary_text(text: str) -> bool:
    """Return whether a text consists of ordinary words only."""
    folded = text.strip().lower()
    if re.fullmatch(r"[a-z' -]+", folded):
        return is_english_phrase(folded) and not (text[:1].isupper() and " " not in text)
    han = re.sub(r"[^\u3400-\u9fff]+", "", folded)
    if not han or len(han) < len(folded.replace(" ", "")) / 2:
        return False
    words = split_words(han)
    if len(words) == 1 and is_counted_phrase(han):
        return False  # 一盏
    return all(len(word.text) == 1 or is_common_word(word) for word in words) and len(words) < len(han)


@lru_cache(maxsize=16384)
def looks_like_name(text: str) -> bool:
    """Return whether a text is a name and no ordinary word: Kettlewood, Garmin Forerunner 265, 木石坊."""
    if re.fullmatch("[\u3400-\u9fff]{2,5}", text):
        return not is_ordinary_text(text) and not any(word.tag.startswith(FUNCTION_TAGS) for word in split_words(text))
    words = re.findall(r"[A-Za-z][A-Za-z'’&.-]*", text)
    is_latin = bool(words) and len(text) <= 30 and not re.search("[\u3400-\u9fff]", text)
    is_description = len(words) > 1 and words[1].islower() and is_english_word(words[1])  # "Gooseneck spout"
    return is_latin and words[0][:1].isupper() and not is_english_word(words[0].lower()) and not is_description
