"""Counts and times every management command, and has its process store what it measures."""

import gc
import time
from collections.abc import Sequence

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

from monitoring.metrics import command_seconds, commands


def execute_measured(argv: Sequence[str]) -> None:
    """What Django's `execute_from_command_line` does, counted by command and outcome, with samples until the end."""
    utility = _CountedManagementUtility(list(argv))
    started, outcome = time.perf_counter(), "failed"
    try:
        utility.execute()
        outcome = "done"
    except SystemExit as end:
        outcome = "failed" if end.code else "done"
        raise
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        if utility.name:
            commands.labels(utility.name, outcome).inc()
            command_seconds.labels(utility.name).observe(time.perf_counter() - started)
            from monitoring.samples.collector import stop_sampling  # models: not before Django is set up

            stop_sampling()


class _CountedManagementUtility(ManagementUtility):
    """Django's, that tells which command it has found."""

    name = ""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        gc.freeze()  # all is loaded
        gc.enable()
        if self.argv[1:2] == [subcommand]:  # not the subject of `help`
            from monitoring.instrumentation.exporter import start_exporter
            from monitoring.models import Process
            from monitoring.samples.collector import get_process_kind, start_sampling

            kind = get_process_kind(self.argv[1:])
            if kind == Process.Kind.WORKER:
                start_exporter()
            self.name = subcommand
            start_sampling(kind)
        return command
