"""What answers may hold and a spreadsheet must not: formulas, and characters that its files cannot carry."""

import re

# A spreadsheet takes a cell that begins so for a formula, also behind white space, and in full width (OWASP, CSV
# injection). A quote before it is taken for one of ours, so that every cell has exactly one way back.
_FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]")
# XML 1.0 has no such characters, escaped or not. A lone surrogate has no UTF-8.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

MOST_CHARACTERS = 32_767  # of a cell of Excel, in UTF-16 units


def disarm(text: str) -> str:
    """The text for a CSV cell: behind a single quote where a spreadsheet would calculate it."""
    return f"'{text}" if _FORMULA.match(text) else text


def clean(text: str) -> str:
    """The text with U+FFFD in place of each character that no file may hold; as long as before."""
    return _FORBIDDEN.sub("\ufffd", text)


def fit(text: str, ending: str) -> str:
    """The text, cut to what a cell of Excel holds, with `ending` where something was cut off."""
    # Only what is outside of the basic plane takes two units.
    if 2 * len(text) <= MOST_CHARACTERS or _units(text) <= MOST_CHARACTERS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (MOST_CHARACTERS - _units(ending))]
    return kept.decode("utf-16-le", "ignore") + ending


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
