"""Base classes and options of the management commands."""

import gettext as standard_gettext
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from errors.terminal import gettext as _

ARGPARSE_CATALOGUE = "messages"  # the domain in which argparse looks up its own texts


class SiteCommand(BaseCommand):
    """A command whose help is in the language of the terminal and ends with examples, printed without reformatting."""

    examples: ClassVar[str] = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return Django's parser with the examples."""
        standard_gettext.bindtextdomain(ARGPARSE_CATALOGUE, settings.LOCALE_PATHS[0])
        parser = super().create_parser(prog_name, subcommand, epilog=self.examples, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        for action in parser._actions:  # including those of Django, which does not translate them
            action.help = action.help and _(action.help)
        return parser


class ExportCommand(SiteCommand):
    """A command that prints a text or writes it to the file of `--output`."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--output`."""
        parser.add_argument("--output", metavar="FILE", help=_("写入这个文件，不打印"))

    def export(self, text: str, output: str | None, message: str) -> None:
        """Print the text, or write it to the file and print a message. Raises CommandError."""
        if not output:
            self.stdout.write(text)
            return
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        self.stdout.write(f"{output}{message}")


def parse_time_option(text: str) -> datetime:
    """Return the time of an option, by default in the site's time zone. Raises CommandError."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(_("%(text)r 不是时间，请写成 '2026-02-27 03:10' 的形式") % {"text": text})
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
