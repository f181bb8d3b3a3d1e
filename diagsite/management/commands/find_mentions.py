import json
import sys
from argparse import ArgumentParser, FileType
from typing import Any

import pydantic
from django.core.management.base import CommandError, CommandParser

from diagnosis.analysis.mentions import BrandSpellings, analyse_text
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy


class _Line(pydantic.BaseModel):
    """A line of the input. brands: the name of each brand, followed by its other spellings."""

    brands: list[list[str]] = pydantic.Field(max_length=100)
    text: str = pydantic.Field(max_length=1_000_000)
    question: str = ""


class Command(SiteCommand):
    help = gettext_lazy("""\
在文本中查找品牌，以便弄清一个名称为什么计入或不计入。读取 JSON 行，例如
  {"brands": [["苹果", "Apple"]], "question": "哪个手机好？", "text": "..."}
每行写出
  {"certain": [...], "uncertain": [...], "discovered": [...], "domains": [...]}
依次是：计入的品牌，可能是普通词语的品牌，其他品牌（先是已知的，再是推测的），引用的域名。""")

    def add_arguments(self, parser: ArgumentParser | CommandParser) -> None:
        """Add the input."""
        parser.add_argument(
            "file", nargs="?", type=FileType(encoding="utf-8"), default=sys.stdin, help=_("默认为标准输入")
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
                raise CommandError(
                    _("第 %(number)d 行，%(field)s：%(reason)s")
                    % {"number": number, "field": field, "reason": first["msg"]}
                ) from error
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
