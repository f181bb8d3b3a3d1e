"""What the judge found in an answer, verified: a brand counts only if its name and its quote stand in the answer.

Names and quotes are compared after the normalization of brand matching, and quotes also without white space and
emphasis, so that typographic quotes, dashes and width make no difference. An extraction is stored with the answer as
{"brands": [{"name", "at", "stance", "sentiment", "quote", "praise", "blame"}], "complete": bool}; `at`, `quote` and the
items of `praise` and `blame` are [start, end) in code points of the text. It is {} for a reply that could not be read.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from diagnosis.analysis.judge_prompt import MAX_QUOTE_LENGTH, MAX_REASONS, JudgedBrand, parse_judge_reply
from diagnosis.analysis.matching.normalization import NormalizedText, normalize_spelling, normalize_text

MIN_QUOTE_LENGTH = 4  # characters of a quote that supports a judgement, as opposed to a mere mention

Span = tuple[int, int]

# Each character becomes one character, so that offsets stay the same.
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f\uff02", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\uff07", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d", "-")
)
_VISIBLE_RUN = re.compile(r"[^\s*_`~#|]+")  # what is left without white space and emphasis


@dataclass(frozen=True)
class ExtractedBrand:
    """A verified brand of an answer. stance: None in a rating of an earlier release, which had none."""

    name: str
    at: Span
    stance: str | None
    sentiment: str
    quote: Span
    praise: Sequence[Span] = ()
    blame: Sequence[Span] = ()


def build_extraction(reply: str, text: str) -> dict[str, Any]:
    """Verify the judge's reply about a text and return it as stored. complete: whether everything could be verified."""
    judged = parse_judge_reply(reply)
    if judged is None:
        return {}
    verifier = _Verifier(text, [brand.name for brand in judged])
    brands = [verified for brand in judged if (verified := verifier.verify(brand))]
    merged = _merge_repeated(brands)
    return {"brands": [vars(brand) for brand in merged], "complete": len(brands) == len(judged)}


def read_extraction(stored: Any) -> list[ExtractedBrand] | None:
    """Return the brands of a stored extraction in order of their first mention; None if there is none."""
    if isinstance(stored, list):  # ratings of an earlier release: {brand, sentiment, start, end}
        return [
            ExtractedBrand(rating["brand"], (0, 0), None, rating["sentiment"], (rating["start"], rating["end"]))
            for rating in stored
        ]
    if not isinstance(stored, dict) or "brands" not in stored:
        return None
    brands = [ExtractedBrand(**brand) for brand in stored["brands"]]
    return sorted(brands, key=lambda brand: brand.at[0])


def _normalize(text: str) -> NormalizedText:
    return normalize_text(text.translate(_TYPOGRAPHY))


def _join_visible(text: str) -> tuple[str, list[int]]:
    """Return the text without white space and emphasis, and the position of each of its characters."""
    runs = list(_VISIBLE_RUN.finditer(text))
    return "".join(run.group() for run in runs), [position for run in runs for position in range(*run.span())]


class _Verifier:
    def __init__(self, text: str, names: Iterable[str]) -> None:
        self._text = text
        self._normalized = _normalize(text)
        self._visible, self._positions = _join_visible(self._normalized.text)
        spellings = {spelling for name in names if (spelling := _normalize(name).text.strip())}
        # Where a name contains another one, only the longer is named.
        occurrences = [(start, -end, spelling) for spelling in spellings for start, end in self._find_name(spelling)]
        self._occurrences: list[tuple[Span, str]] = []
        for start, negative_end, spelling in sorted(occurrences):
            if not self._occurrences or start >= self._occurrences[-1][0][1]:
                self._occurrences.append(((start, -negative_end), spelling))

    def verify(self, judged: JudgedBrand) -> ExtractedBrand | None:
        """Return the brand with the places of its name and quotes; None if either is not in the text."""
        spelling = _normalize(judged.name).text.strip()
        at = next((span for span, occurring in self._occurrences if occurring == spelling), None)
        quote = self._find_quote(judged.quote, spelling)
        if at is None or quote is None:
            return None
        is_judgement = quote[1] - quote[0] >= MIN_QUOTE_LENGTH
        return ExtractedBrand(
            self._text[at[0] : at[1]],
            at,
            judged.stance if is_judgement else "mentioned",
            judged.sentiment if is_judgement else "unclear",
            quote,
            self._find_quotes(judged.praise, spelling),
            self._find_quotes(judged.blame, spelling),
        )

    def _find_quotes(self, quotes: Sequence[str], spelling: str) -> list[Span]:
        found = (self._find_quote(quote, spelling) for quote in quotes)
        return list(dict.fromkeys(span for span in found if span))[:MAX_REASONS]

    def _find_quote(self, quote: str, spelling: str) -> Span | None:
        """Return where the quote stands about this name."""
        if not quote.strip() or len(quote) > MAX_QUOTE_LENGTH:
            return None
        places = self._find_all(quote)
        return next((span for span in places if self._is_about(span, spelling)), None)

    def _is_about(self, span: Span, spelling: str) -> bool:
        """Return whether the line of a quote names the brand, or names none and the last one before it is the brand."""
        line_start = self._text.rfind("\n", 0, span[0]) + 1
        line_end = f"{self._text}\n".index("\n", span[1])
        first = bisect_right(self._occurrences, line_start - 1, key=lambda occurrence: occurrence[0][0])
        last = bisect_right(self._occurrences, line_end - 1, key=lambda occurrence: occurrence[0][0])
        named = {occurring for _span, occurring in self._occurrences[first:last]}
        return spelling in named or (not named and first > 0 and self._occurrences[first - 1][1] == spelling)

    def _find_name(self, spelling: str) -> list[Span]:
        """Return the places of a name as a word of its own; if there is none, as the beginning of one ("vivoS20")."""
        text = self._normalized.text
        starting = [
            match.span() for match in re.finditer(re.escape(spelling), text) if not _is_inside_word(text, match.start())
        ]
        whole = [span for span in starting if not _is_inside_word(text, span[1])]
        return self._get_original_ranges(whole or starting)

    def _find_all(self, quote: str) -> list[Span]:
        wanted, _positions = _join_visible(_normalize(quote).text)
        if not wanted:
            return []
        matches = re.finditer(re.escape(wanted), self._visible)
        return self._get_original_ranges(
            [(self._positions[match.start()], self._positions[match.end() - 1] + 1) for match in matches]
        )

    def _get_original_ranges(self, spans: Iterable[Span]) -> list[Span]:
        """Return the places in the original text, without those that begin or end inside a character."""
        ranges = (self._normalized.get_original_range(*span) for span in spans)
        return [span for span in ranges if min(span) >= 0]


def _is_inside_word(text: str, position: int) -> bool:
    """Return whether ASCII letters stand on both sides of the position."""
    around = text[max(0, position - 1) : position + 1]
    return len(around) == 2 and position > 0 and around.isascii() and around.isalpha()


def _merge_repeated(brands: Sequence[ExtractedBrand]) -> list[ExtractedBrand]:
    """Keep the first of several entries for a name; entries that contradict each other judge nothing."""
    by_name: dict[str, ExtractedBrand] = {}
    for brand in brands:
        name = normalize_spelling(brand.name)
        known = by_name.setdefault(name, brand)
        if known.stance != brand.stance or known.sentiment != brand.sentiment:
            by_name[name] = ExtractedBrand(brand.name, known.at, "mentioned", "unclear", known.quote)
    return list(by_name.values())
