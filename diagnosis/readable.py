"""Which texts of users can be stored and read."""

import unicodedata

# Control characters and lone surrogates, which PostgreSQL cannot store.
_FORBIDDEN_CATEGORIES = {"Cc", "Cs"}
# Spaces, joiners, directional marks, combining marks.
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"}


def is_readable(text: str) -> bool:
    """Return whether a text has something visible, and no control characters but line breaks and tabs."""
    categories = {unicodedata.category(character) for character in text if character not in "\r\n\t"}
    return not (categories & _FORBIDDEN_CATEGORIES or categories <= _INVISIBLE_CATEGORIES)
