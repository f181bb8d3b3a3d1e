import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diagnosis.repair.defects import DEFECTS
from diagnosis.repair.runner import DefectSummary, find_defects, run_repair, select_defects
from diagnosis.repair.undo import get_latest_repair_run, undo_repair_run
from diagsite.cli.progress_display import create_console

EXAMPLES = """\
examples:
  manage.py repair_history                              look, and change nothing: how many of each defect, examples
  manage.py repair_history --apply                      mend them, in batches; interrupted, start it again: it goes on
  manage.py repair_history --apply --only counts_wrong  only this defect; repeatable
  manage.py repair_history --undo                       take the last repair back, from its journal

A diagnosis that a job holds, or that is younger than its deadline, is never touched. A second run finds nothing.
What is deleted (duplicates only) is kept in the journal, until `manage.py prune` forgets that.

defects:
"""


class Command(BaseCommand):
    """Puts old diagnosis records right."""

    help = "Find what is wrong with old diagnosis records, and mend it. Without --apply nothing is changed."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        defects = "\n".join(f"  {one.name:17} {one.description}\n{'':20}-> {one.fix_description}" for one in DEFECTS)
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES + defects, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """To look, to mend or to take back; and what."""
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--apply", action="store_true", help="mend what is found")
        mode.add_argument("--undo", action="store_true", help="take the last repair back")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="DEFECT",
            choices=[one.name for one in DEFECTS],
            help="only this defect; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of the three."""
        if options["undo"]:
            self._undo()
            return
        found = find_defects(options["only"])
        self._print_found(found)
        total = sum(one.count for one in found)
        if options["apply"] and total:
            self._repair(options["only"], total)
        elif total:
            self.stdout.write("nothing was changed: --apply mends them")

    def _print_found(self, found: list[DefectSummary]) -> None:
        for one in found:
            self.stdout.write(f"{one.count:8}  {one.defect.name:17} {one.defect.description}")
            for example in one.examples:
                self.stdout.write(f"{'':10}  {example}")
        self.stdout.write(f"{sum(one.count for one in found):8}  found; a record can have several")

    def _repair(self, only: list[str], total: int) -> None:
        with _create_progress_bar(self.stderr.isatty()) as bar:
            tasks = {one.name: bar.add_task(one.name, total=None, visible=False) for one in select_defects(only)}
            total_task = bar.add_task("all", total=total)

            def show(name: str, rows: int) -> None:
                bar.update(tasks[name], advance=rows)
                bar.update(total_task, advance=rows)

            run = run_repair(only, show)
        for name, count in run.mended.items():
            self.stdout.write(f"{count:8}  {name} mended")
        self.stdout.write(f"repair #{run.pk}: {run.changes.count()} rows changed; --undo takes it back")

    def _undo(self) -> None:
        run = get_latest_repair_run()
        if run is None:
            raise CommandError("there is no repair to take back")
        with _create_progress_bar(self.stderr.isatty()) as bar:
            task = bar.add_task(f"undo #{run.pk}", total=run.changes.filter(is_undone=False).count())
            done = undo_repair_run(run, lambda rows: bar.update(task, advance=rows))
        self.stdout.write(f"repair #{run.pk}: {done.restored} rows are as they were before")
        if done.skipped:
            self.stdout.write(f"{done.skipped} rows were changed since the repair, and left as they are now")


def _create_progress_bar(is_terminal: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=create_console(sys.stderr),
        disable=not is_terminal,
    )
