"""What answers may hold and a spreadsheet must not: formulas, and characters that its files cannot carry."""

import re

# A spreadsheet takes a cell that begins so for a formula, also behind white space, and in full width (OWASP, CSV
# injection). A quote before it is taken for one of ours, so that every cell has exactly one way back.
_FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]")
# XML 1.0 has no such characters, escaped or not. A lone surrogate has no UTF-8.
_FORBIDDEN_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

MAX_CELL_CHARACTERS = 32_767  # of a cell of Excel, in UTF-16 units


def escape_formula(text: str) -> str:
    """The text for a CSV cell: behind a single quote where a spreadsheet would calculate it."""
    return f"'{text}" if _FORMULA.match(text) else text


def replace_forbidden_characters(text: str) -> str:
    """The text with U+FFFD in place of each character that no file may hold; as long as before."""
    return _FORBIDDEN_CHARACTER.sub("\ufffd", text)


def truncate_for_excel(text: str, suffix: str) -> str:
    """The text, cut to what a cell of Excel holds, with `ending` where something was cut off."""
    # Only what is outside of the basic plane takes two units.
    if 2 * len(text) <= MAX_CELL_CHARACTERS or _count_utf16_units(text) <= MAX_CELL_CHARACTERS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (MAX_CELL_CHARACTERS - _count_utf16_units(suffix))]
    return kept.decode("utf-16-le", "ignore") + suffix


def _count_utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
