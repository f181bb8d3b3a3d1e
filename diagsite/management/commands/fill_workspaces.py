from argparse import ArgumentParser
from typing import Any

from diagnosis.workspaces.fill import FillResult, count_unfilled, fill_workspaces
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py fill_workspaces            count what would be put into workspaces; changes nothing
  manage.py fill_workspaces --apply    do it now, with progress

Diagnoses and schedules of earlier releases and imports go into the workspace of their owner and brand, and ended
diagnoses get stored figures for overviews. Reports, answers and names stay as they are. It can be interrupted and
repeated. A worker does the same in small batches every five minutes.
"""


class Command(ExamplesCommand):
    """Put old diagnoses into workspaces."""

    help = "Put the diagnoses of earlier releases into workspaces. Without --apply it changes nothing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply."""
        parser.add_argument("--apply", action="store_true", help="fill")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the progress and the result."""
        if not options["apply"]:
            self._report(count_unfilled(), "to fill")
            self.stdout.write("nothing was changed; --apply fills them")
            return
        self._report(fill_workspaces(lambda result: self._report(result, "filled so far")), "filled")

    def _report(self, result: FillResult, verb: str) -> None:
        self.stdout.write(
            f"{verb}: {result.diagnoses} diagnoses, {result.schedules} schedules, "
            + (f"names of {result.names} workspaces, " if result.names else "")
            + f"{result.summaries} stored figures"
        )
