"""Make text from labels, rules and other untrusted sources safe for messages."""

import re
from urllib.parse import urlsplit

_TRUNCATION_SUFFIX = "…（内容过长，已截断）"
# Full-width forms look the same, and no chat bot interprets them as markup, a mention, a tag or a URL.
_MARKUP_REPLACEMENTS = str.maketrans("@<>[]*`#&|\\", "＠＜＞［］＊｀＃＆｜＼")


def neutralize_markup(text: str) -> str:
    """Return the text without characters that create mentions, links or markup."""
    return text.translate(_MARKUP_REPLACEMENTS).replace("://", "：//")


def to_one_line(text: str) -> str:
    """Return the text without line breaks and control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]", " ", text).split())


def is_http_url(address: str) -> bool:
    """Return whether the text is a URL that a link may point to."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def truncate_utf8(text: str, max_bytes: int) -> str:
    """Cut the text to a number of UTF-8 bytes between two characters, with a note that it was cut."""
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    return data[: max_bytes - len(_TRUNCATION_SUFFIX.encode())].decode(errors="ignore") + _TRUNCATION_SUFFIX
