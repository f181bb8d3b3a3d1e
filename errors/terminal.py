"""Texts for the terminal, in the language of its locale.

Only what a command prints follows the terminal. What it stores or sends stays in the site's language, so no command
activates a language for its whole process.
"""

import os
from collections.abc import Callable

from django.utils import translation
from django.utils.functional import lazy


def get_terminal_language(default: str = "en") -> str:
    """Return zh-hans or en by the locale's variables, in gettext's order; `default` if they name neither (C, POSIX)."""
    variables = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    locale = next(filter(None, (os.environ.get(name) for name in variables)), "").lower()
    if locale.startswith("zh"):
        return "zh-hans"
    return "en" if locale.startswith("en") else default


def gettext(text: str, **values: object) -> str:
    """Translate into the language of the terminal; values: those of the placeholders."""
    with translation.override(get_terminal_language()):
        translated = translation.gettext(text)
    return translated % values if values else translated


gettext_lazy: Callable[..., str] = lazy(gettext, str)
