import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diagnosis.repair.defects import DEFECTS
from diagnosis.repair.runner import find_defects, run_repair, select_defects
from diagnosis.repair.undo import get_latest_repair_run, undo_repair_run
from diagsite.cli.progress_display import create_console
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py repair_history                              count each defect and show examples; changes nothing
  manage.py repair_history --apply                      fix them in batches; continues if run again
  manage.py repair_history --apply --only counts_wrong  only this defect; repeatable
  manage.py repair_history --undo                       undo the last repair from its journal

Diagnoses that have a job or are younger than their deadline are skipped. A second run finds nothing. Deleted rows
(duplicates only) stay in the journal until `manage.py prune` deletes it.

defects:
"""


DEFECT_LIST = "\n".join(
    f"  {defect.name:17} {defect.description}\n{'':20}-> {defect.fix_description}" for defect in DEFECTS
)


class Command(ExamplesCommand):
    """Find and fix defects of old diagnosis records."""

    help = "Find defects of old diagnosis records, and fix them. Without --apply it changes nothing."
    examples = EXAMPLES + DEFECT_LIST

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply, --undo and the defects."""
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--apply", action="store_true", help="fix the defects")
        mode.add_argument("--undo", action="store_true", help="undo the last repair")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="DEFECT",
            choices=[defect.name for defect in DEFECTS],
            help="only this defect; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List, fix or undo."""
        if options["undo"]:
            run = get_latest_repair_run()
            if run is None:
                raise CommandError("there is no repair to undo")
            with _create_progress_bar(self.stderr.isatty()) as bar:
                task = bar.add_task(f"undo #{run.pk}", total=run.changes.filter(is_undone=False).count())
                done = undo_repair_run(run, lambda rows: bar.update(task, advance=rows))
            self.stdout.write(f"repair #{run.pk}: {done.restored} rows restored")
            if done.skipped:
                self.stdout.write(f"{done.skipped} rows were changed since the repair and are kept")
            return
        summaries = find_defects(options["only"])
        for summary in summaries:
            self.stdout.write(f"{summary.count:8}  {summary.defect.name:17} {summary.defect.description}")
            for example in summary.examples:
                self.stdout.write(f"{'':10}  {example}")
        total = sum(summary.count for summary in summaries)
        self.stdout.write(f"{total:8}  found; a record can have several defects")
        if options["apply"] and total:
            self._repair(options["only"], total)
        elif total:
            self.stdout.write("nothing was changed; --apply fixes them")

    def _repair(self, only: list[str], total: int) -> None:
        with _create_progress_bar(self.stderr.isatty()) as bar:
            tasks = {
                defect.name: bar.add_task(defect.name, total=None, visible=False) for defect in select_defects(only)
            }
            total_task = bar.add_task("all", total=total)

            def show(name: str, rows: int) -> None:
                bar.update(tasks[name], advance=rows)
                bar.update(total_task, advance=rows)

            run = run_repair(only, show)
        for name, count in run.mended.items():
            self.stdout.write(f"{count:8}  {name} fixed")
        self.stdout.write(f"repair #{run.pk}: {run.changes.count()} rows changed; --undo reverts it")


def _create_progress_bar(is_terminal: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=create_console(sys.stderr),
        disable=not is_terminal,
    )
