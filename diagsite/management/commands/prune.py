from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from diagsite.operations.retention import RETENTION_RULES, RetentionRule

EXAMPLES = """\
examples:
  manage.py prune                        look: what is older than it is kept; nothing is changed
  manage.py prune --apply                delete it, some thousand rows at a time
  manage.py prune --apply --only jobs    only this table; repeatable
  KEPT_DAYS=alerts=180,streams=7 manage.py prune

A worker does the same every night. Diagnoses and their answers are never pruned.
"""


class Command(BaseCommand):
    """Keeps the tables small for years."""

    help = "Delete what each table has kept long enough. Without --apply nothing is changed."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to do it, and to what."""
        parser.add_argument("--apply", action="store_true", help="delete")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="NAME",
            choices=[one.name for one in RETENTION_RULES],
            help=f"only this: {', '.join(one.name for one in RETENTION_RULES)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a table."""
        for one in RETENTION_RULES:
            if not options["only"] or one.name in options["only"]:
                self.stdout.write(_prune_or_count(one, apply=options["apply"]))
        if not options["apply"]:
            self.stdout.write("nothing was changed: --apply deletes them")


def _prune_or_count(rule: RetentionRule, *, apply: bool) -> str:
    cutoff = rule.get_cutoff()
    if cutoff is None:
        return f"{rule.name:11} kept for ever: {rule.description}"
    count = rule.prune(cutoff) if apply else rule.count(cutoff)
    verb = "deleted" if apply else "to delete"
    return f"{rule.name:11} {count:9} {verb}, kept {rule.retention_days:g} days: {rule.description}"
