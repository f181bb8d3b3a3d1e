"""Runs management commands: counts and times each, and stores the samples of its process."""

import gc
import time
from collections.abc import Sequence

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand

from monitoring.metrics import command_seconds, commands


def execute_measured(argv: Sequence[str]) -> None:
    """Run a command like Django's `execute_from_command_line`, counted by command and outcome."""
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
            from monitoring.samples.collector import stop_sampling  # imports models, which need django.setup()

            stop_sampling()


class _CountedManagementUtility(ManagementUtility):
    """Remembers the command that it has found, and starts sampling before it runs."""

    name = ""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        gc.freeze()  # loaded modules stay: no need to traverse them at every collection
        gc.enable()
        if self.argv[1:2] == [subcommand]:  # not the argument of `help`
            from monitoring.instrumentation.exporter import start_exporter
            from monitoring.models import Process
            from monitoring.samples.collector import get_process_kind, start_sampling

            kind = get_process_kind(self.argv[1:])
            if kind == Process.Kind.WORKER:
                start_exporter()
            self.name = subcommand
            start_sampling(kind)
        return command
