import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.instrumentation.coverage import INSTRUMENTS_BY_KIND, Surface, find_surfaces

EXAMPLES = """examples:
  manage.py monitoring_coverage                   what is counted, by kind, and what is not
  manage.py monitoring_coverage --fail-under 0.9  exit with 1 when less than 90 % is
  manage.py monitoring_coverage --json            every surface, for a program

docs/reference/metrics.md says what covered means.
"""


class Command(BaseCommand):
    """The gate for instruments."""

    help = "Tell which routes, sockets, jobs, commands and outgoing clients have a counter, a duration, an error label."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much is enough, and for whom to print."""
        parser.add_argument("--fail-under", type=float, metavar="SHARE", help="exit with 1 below this share, 0 to 1")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found; fail when too little is covered."""
        surfaces = find_surfaces()
        share = sum(one.is_covered for one in surfaces) / len(surfaces)
        if options["json"]:
            document = {"covered": share, "surfaces": [asdict(one) for one in surfaces]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self._print(surfaces, share)
        min_share = options["fail_under"]
        if min_share is not None and share < min_share:
            raise CommandError(f"{share:.1%} is covered, less than {min_share:.1%}", returncode=1)

    def _print(self, surfaces: Sequence[Surface], share: float) -> None:
        for one in surfaces:
            if not one.is_covered:
                self.stdout.write(f"{one.kind} {one.name}: no {', no '.join(one.missing)} ({one.why})")
        for kind in INSTRUMENTS_BY_KIND:
            covered = [one.is_covered for one in surfaces if one.kind == kind]
            self.stdout.write(f"{kind:8} {sum(covered)} of {len(covered)}")
        self.stdout.write(f"covered  {share:.1%}")
