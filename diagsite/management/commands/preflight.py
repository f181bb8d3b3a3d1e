import json
import sys
from argparse import ArgumentParser
from typing import Any

from rich.table import Table

from diagsite.cli.progress_display import create_console
from diagsite.operations.preflight.checks import CHECK_DEPENDENCIES, CHECKS, select_checks
from diagsite.operations.preflight.results import FAILED, OK, WARNING, get_exit_code, run_checks
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py preflight                    run every check that costs nothing
  manage.py preflight --live --notify    also ask each platform a short question and send each channel a message
  manage.py preflight --skip services    before the workers run
  manage.py preflight --json | jq '.checks[] | select(.level != "ok")'

exit codes:
  0  no check failed; warnings are allowed
  1  a check failed, or with --strict a warning was reported
"""
STYLE_BY_LEVEL = {OK: "green", WARNING: "yellow", FAILED: "bold red"}


class Command(ExamplesCommand):
    """Check an installation before a deployment or when it has problems."""

    help = "Check everything that the site needs: installation, settings, services, keys, alerts."
    examples = EXAMPLES
    requires_system_checks: list[str] = []  # the check `settings` runs them

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the scope and the output format."""
        parser.add_argument("--live", action="store_true", help="one cheap call to each enabled platform")
        parser.add_argument("--notify", action="store_true", help="a test message through each alert channel")
        parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--skip",
            action="append",
            default=[],
            metavar="CHECK",
            choices=list(CHECKS),
            help="skip a check; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks, print the results, and exit with the code described in `--help`."""
        checks = select_checks(live=options["live"], notify=options["notify"], skipped=options["skip"])
        results = run_checks(checks, CHECK_DEPENDENCIES)
        code = get_exit_code(results, strict=options["strict"])
        if options["json"]:
            document = {"ok": code == 0, "checks": [result.to_dict() for result in results]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            table = Table("check", "", "result", "ms")
            for result in results:
                style = STYLE_BY_LEVEL[result.level]
                table.add_row(result.name, result.level, result.detail, f"{result.ms:.0f}", style=style)
            create_console(sys.stdout).print(table)
            counts = {level: sum(result.level == level for result in results) for level in STYLE_BY_LEVEL}
            self.stdout.write(", ".join(f"{count} {level}" for level, count in counts.items()))
        if code:
            sys.exit(code)
