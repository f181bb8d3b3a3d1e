"""Values that must not be used in production, and the filter of Django's debug page."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from django.views.debug import SafeExceptionReporterFilter

# Without case and punctuation; "change-me" is in deploy/environment.example.
PLACEHOLDERS = {
    *("changeme", "changemetoo", "changethis", "changeit", "replaceme", "replacethis", "placeholder", "todo"),
    *("secret", "secretkey", "yoursecretkey", "mysecretkey", "supersecret", "token", "yourtoken", "key", "yourkey"),
    *("password", "yourpassword", "passw0rd", "example", "test", "default", "admin", "none", "xxx"),
    *("developmentonly", "insecure", "unsafe"),
}
_PUNCTUATION = re.compile(r"[\W_]+")
_GENERATED_BY_STARTPROJECT = "django-insecure-"
_URL_PASSWORD = re.compile(r"://[^/?#\s]*@")


def find_placeholders(values: Mapping[str, str | Sequence[str]]) -> list[str]:
    """Return the names of the settings that contain a known placeholder; of an URL its password counts."""
    return [
        name
        for name, value in values.items()
        if any(_is_placeholder(text) for text in ([value] if isinstance(value, str) else value))
    ]


def _is_placeholder(text: str) -> bool:
    if "://" in text:
        try:
            text = unquote(urlsplit(text).password or "")
        except ValueError:
            return False
    plain = _PUNCTUATION.sub("", text.casefold())
    is_repeated = len(plain) > 1 and len(set(plain)) == 1
    return plain in PLACEHOLDERS or is_repeated or text.startswith(_GENERATED_BY_STARTPROJECT)


class ExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides, besides what Django hides, settings whose name ends in _URL and URLs with a password in any setting."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|_URL$|_URLS$", re.IGNORECASE)

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Return the value as the page may show it."""
        cleansed = super().cleanse_setting(key, value)
        has_password = isinstance(cleansed, str) and _URL_PASSWORD.search(str(cleansed))
        return self.cleansed_substitute if has_password else cleansed
