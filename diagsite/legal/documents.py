"""The user agreement and the privacy policy, in both languages.

A file has its title in a line that begins with `# `, sections that begin with `## `, and a paragraph a line. A file of
the same name in settings.LEGAL_TEXTS_DIR replaces it.
"""

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.utils.translation import gettext as _

from diagsite.operations.retention import RETENTION_RULES
from errors.problems import get_current_locale

_BUILT_IN = Path(__file__).parent / "texts"


class DocumentName(StrEnum):
    """The documents."""

    AGREEMENT = "agreement"
    PRIVACY = "privacy"


class Section(TypedDict):
    """A heading with its paragraphs."""

    heading: str
    paragraphs: list[str]


class Document(TypedDict):
    """A document in one language. version: of both documents; a new one needs a new consent."""

    name: str
    title: str
    version: str
    sections: list[Section]


def load_document(name: DocumentName) -> Document:
    """Return the document in the current language, with the operator's data filled in."""
    values = {
        "operator": settings.OPERATOR_NAME or _("本站运营者"),
        "contact": settings.OPERATOR_CONTACT or _("“反馈与投诉”页"),
        "reply_days": str(settings.OPERATOR_REPLY_DAYS),
    } | {f"days_{rule.name}": f"{rule.retention_days:g}" for rule in RETENTION_RULES}
    title = ""
    sections: list[Section] = []
    for line in _read_lines(name, get_current_locale(), settings.LEGAL_TEXTS_DIR):
        text = line.lstrip("# ")
        for placeholder, value in values.items():
            text = text.replace(f"{{{placeholder}}}", value)
        if line.startswith("## "):
            sections.append({"heading": text, "paragraphs": []})
        elif line.startswith("# "):
            title = text
        elif sections:
            sections[-1]["paragraphs"].append(text)
    return {"name": name.value, "title": title, "version": settings.TERMS_VERSION, "sections": sections}


@cache
def _read_lines(name: DocumentName, locale: str, own_texts: str) -> list[str]:
    filename = f"{name}.{locale}.txt"
    own_file = Path(own_texts) / filename if own_texts else None
    file = own_file if own_file and own_file.exists() else _BUILT_IN / filename
    return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
