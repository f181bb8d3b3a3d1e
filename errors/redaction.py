"""Masks what identifies a person or opens a service in texts that are stored or logged."""

import re
from collections.abc import Iterable

MASK = "***"
# Names after which a value of any length is a secret: `api_key=x`, `"password": "x"`, `Authorization: Basic x`.
_LABELS = (
    r"(?:[A-Za-z0-9]+[_-])*(?:api[_-]?key|key|token|secret|passwd|password|pwd|credential|authorization|cookie|openid)"
    r"|密钥|密码|口令|令牌"
)
_PATTERNS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), f"://{MASK}@"),
    (
        re.compile(
            rf"""(?<![A-Za-z0-9])({_LABELS})(["']?\s*(?:provided\s*)?[:=：]\s*["']?)(?:(Bearer|Basic)\s+)?[^\s"',;&<>()\[\]{{}}*]{{2,}}""",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{2,}"), rf"\1 {MASK}"),
    (re.compile(r"(?<![A-Za-z0-9])(?:sk|ak|pk|rk)[-_][A-Za-z0-9._-]{2,}"), MASK),
    (re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"), MASK),
    # Mobile numbers of China, landlines with area code, and international numbers with a plus sign.
    (re.compile(r"(?<![\w.])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\w])"), MASK),
    (re.compile(r"(?<![\w.-])0\d{2,3}[ -]\d{7,8}(?![\w])"), MASK),
    (re.compile(r"\+\d{1,3}(?:[ -]?\d){7,12}(?!\d)"), MASK),
]
# A long run of letters and digits of both cases, such as a token; ids and names of code are not.
_RANDOM_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[A-Za-z0-9_-]{24,}")


def redact(text: str, known_secrets: Iterable[str] = ()) -> str:
    """Return the text with *** instead of keys, passwords, tokens, e-mail addresses and telephone numbers.

    known_secrets: masked wherever they occur, in any form.
    """
    for secret in known_secrets:
        if secret:
            text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _RANDOM_TOKEN.sub(MASK, text)
