"""Make texts of answers safe for spreadsheets: formulas, forbidden characters, long cells."""

import re

# A spreadsheet evaluates a cell that starts like this, also after white space and in full width (OWASP, CSV injection).
# Texts that already start with quotes match too, so that removing one quote always restores the original.
_FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]")
# XML 1.0 has none of these, escaped or not. A lone surrogate has no UTF-8 encoding.
_FORBIDDEN_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

MAX_CELL_CHARACTERS = 32_767  # of an Excel cell, in UTF-16 code units


def escape_formula(text: str) -> str:
    """Prefix the text with a single quote if a spreadsheet would evaluate it as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def replace_forbidden_characters(text: str) -> str:
    """Replace each character that the file formats forbid by U+FFFD; the length stays the same."""
    return _FORBIDDEN_CHARACTER.sub("\ufffd", text)


def truncate_for_excel(text: str, suffix: str) -> str:
    """Truncate the text to the limit of an Excel cell; a truncated text ends with `suffix`."""
    # Characters outside the basic plane take two units.
    if 2 * len(text) <= MAX_CELL_CHARACTERS or _count_utf16_units(text) <= MAX_CELL_CHARACTERS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (MAX_CELL_CHARACTERS - _count_utf16_units(suffix))]
    return kept.decode("utf-16-le", "ignore") + suffix


def _count_utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
