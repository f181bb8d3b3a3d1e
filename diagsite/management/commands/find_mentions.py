import json
import sys
from argparse import ArgumentParser, FileType
from typing import Any

import pydantic
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diagnosis.analysis.mentions import BrandSpellings, analyse_text


class _Line(pydantic.BaseModel):
    """A line of the input. brands: the name of each brand, followed by its other spellings."""

    brands: list[list[str]] = pydantic.Field(max_length=100)
    text: str = pydantic.Field(max_length=1_000_000)
    question: str = ""


class Command(BaseCommand):
    help = """Find brands in texts, to see why a name counts or not. Reads JSON lines such as
    {"brands": [["苹果", "Apple"]], "question": "哪个手机好？", "text": "..."} and writes for each
    {"certain": [...], "uncertain": [...], "discovered": [...], "domains": [...]}: the brands that count, those that may
    be ordinary words, other brands (known ones first, then guesses), and the cited hosts."""

    def add_arguments(self, parser: ArgumentParser | CommandParser) -> None:
        """Add the input."""
        parser.add_argument(
            "file", nargs="?", type=FileType(encoding="utf-8"), default=sys.stdin, help="default: stdin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write a line for each line. Raises CommandError with the number of an invalid line."""
        for number, text in enumerate(options["file"], 1):
            if not text.strip():
                continue
            try:
                line = _Line.model_validate_json(text)
            except pydantic.ValidationError as error:
                first = error.errors(include_url=False)[0]
                field = ".".join(map(str, first["loc"])) or "JSON"
                raise CommandError(f"line {number}, {field}: {first['msg']}") from error
            self.stdout.write(json.dumps(_find(line), ensure_ascii=False))


def _find(line: _Line) -> dict[str, list[str]]:
    brands = [BrandSpellings(spellings[0], spellings) for spellings in line.brands if spellings]
    analysis = analyse_text(line.text, brands, line.question)
    certain = list(dict.fromkeys(mention.brand for mention in analysis.mentions if mention.is_certain))
    uncertain = dict.fromkeys(mention.brand for mention in analysis.mentions if mention.brand not in certain)
    return {
        "certain": certain,
        "uncertain": list(uncertain),
        "discovered": [*analysis.others, *analysis.discovered],
        "domains": analysis.domains,
    }
