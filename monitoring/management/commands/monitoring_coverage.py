import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from monitoring.instrumentation.coverage import INSTRUMENTS_BY_KIND, find_surfaces
from monitoring.management.base import ExamplesCommand


class Command(ExamplesCommand):
    help = "Check that routes, sockets, jobs, commands and outgoing clients have a counter, a duration, an error label."
    examples = """examples:
  manage.py monitoring_coverage                   what is counted, by kind, and what is not
  manage.py monitoring_coverage --fail-under 0.9  exit with 1 if less than 90 % is covered
  manage.py monitoring_coverage --json            every surface, for programs

docs/reference/metrics.md defines "covered".
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the threshold and the output format."""
        parser.add_argument("--fail-under", type=float, metavar="SHARE", help="exit with 1 below this share, 0 to 1")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the coverage. Raises CommandError below the threshold."""
        surfaces = find_surfaces()
        share = sum(surface.is_covered for surface in surfaces) / len(surfaces)
        if options["json"]:
            document = {"covered": share, "surfaces": [asdict(surface) for surface in surfaces]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            for surface in surfaces:
                if not surface.is_covered:
                    missing = ", no ".join(surface.missing)
                    self.stdout.write(f"{surface.kind} {surface.name}: no {missing} ({surface.why})")
            for kind in INSTRUMENTS_BY_KIND:
                covered = [surface.is_covered for surface in surfaces if surface.kind == kind]
                self.stdout.write(f"{kind:8} {sum(covered)} of {len(covered)}")
            self.stdout.write(f"covered  {share:.1%}")
        min_share = options["fail_under"]
        if min_share is not None and share < min_share:
            raise CommandError(f"{share:.1%} is covered, less than {min_share:.1%}", returncode=1)
