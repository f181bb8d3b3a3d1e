from argparse import ArgumentParser
from typing import Any

from diagsite.operations.retention import RETENTION_RULES
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py prune                        count the rows that are past their retention; changes nothing
  manage.py prune --apply                delete them in batches
  manage.py prune --apply --only jobs    only one table; repeatable
  KEPT_DAYS=alerts=180,streams=7 manage.py prune

A worker does the same every night. Diagnoses and answers are never pruned.
"""


class Command(ExamplesCommand):
    """Delete the rows that are past their retention."""

    help = "Delete the rows of each table that are past their retention. Without --apply it changes nothing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply and the names of the rules."""
        parser.add_argument("--apply", action="store_true", help="delete")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="NAME",
            choices=[rule.name for rule in RETENTION_RULES],
            help=f"only this table; one of {', '.join(rule.name for rule in RETENTION_RULES)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per table."""
        verb = "deleted" if options["apply"] else "to delete"
        for rule in RETENTION_RULES:
            if options["only"] and rule.name not in options["only"]:
                continue
            cutoff = rule.get_cutoff()
            if cutoff is None:
                self.stdout.write(f"{rule.name:11} kept forever: {rule.description}")
                continue
            count = rule.prune(cutoff) if options["apply"] else rule.count(cutoff)
            self.stdout.write(f"{rule.name:11} {count:9} {verb}, kept {rule.retention_days:g} days: {rule.description}")
        if not options["apply"]:
            self.stdout.write("nothing was changed; --apply deletes them")
