import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand
from rich.table import Table

from diagsite.cli.progress_display import create_console
from diagsite.operations.preflight.checks import CHECK_DEPENDENCIES, CHECKS, select_checks
from diagsite.operations.preflight.results import FAILED, OK, WARNING, get_exit_code, run_checks

EXAMPLES = """\
examples:
  manage.py preflight                    look at everything that costs nothing
  manage.py preflight --live --notify    also ask each platform a one-word question, and send each channel a message
  manage.py preflight --skip services    before the workers are started
  manage.py preflight --json | jq '.checks[] | select(.level != "ok")'

exit codes:
  0  in order; warnings are allowed
  1  something failed; with --strict, or something was warned of
"""
STYLE_BY_LEVEL = {OK: "green", WARNING: "yellow", FAILED: "bold red"}


class Command(BaseCommand):
    """The last look before a deploy, and the first one in trouble."""

    help = "Check everything that the site needs: installation, settings, services, keys, alerts."
    requires_system_checks: list[str] = []  # they are one of ours

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How far to go, and for whom to print."""
        parser.add_argument("--live", action="store_true", help="one cheap call to each enabled platform")
        parser.add_argument("--notify", action="store_true", help="a test message through each alert channel")
        parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings, too")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--skip",
            action="append",
            default=[],
            metavar="CHECK",
            choices=list(CHECKS),
            help="leave one out; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run them, print, and end with the exit code that `--help` tells."""
        checks = select_checks(live=options["live"], notify=options["notify"], skipped=options["skip"])
        results = run_checks(checks, CHECK_DEPENDENCIES)
        code = get_exit_code(results, strict=options["strict"])
        if options["json"]:
            document = {"ok": code == 0, "checks": [result.to_dict() for result in results]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            table = Table("check", "", "found", "ms")
            for one in results:
                table.add_row(one.name, one.level, one.detail, f"{one.ms:.0f}", style=STYLE_BY_LEVEL[one.level])
            create_console(sys.stdout).print(table)
            counts = {level: sum(one.level == level for one in results) for level in STYLE_BY_LEVEL}
            self.stdout.write(", ".join(f"{count} {level}" for level, count in counts.items()))
        if code:
            sys.exit(code)
