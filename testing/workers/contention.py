"""Processes that contend for the same places while one after another of them is killed: what they did, in order."""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from testing.site import PROJECT_ROOT


@dataclass
class ContentionResult:
    """Most at once, how many tasks ended, and how long after each kill every place was taken again, in seconds."""

    max_concurrent: int
    completed_tasks: int
    recovery_seconds: list[float] = field(default_factory=list)


class _ContenderProcess:
    def __init__(self, redis_url: str, places: int, tasks: int, longest_seconds: float) -> None:
        numbers = [str(places), str(tasks), str(longest_seconds)]
        command = [sys.executable, "-m", "testing.workers.lease_process", redis_url, *numbers]
        self.process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
        self.lines: list[tuple[float, int]] = []
        self.killed_at: float | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # killed in the middle of it
            event, _, moment = line.partition(" ")
            if event in ("begin", "end"):  # not a line of the log
                self.lines.append((float(moment), 1 if event == "begin" else -1))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.killed_at = time.monotonic()

    def changes(self) -> list[tuple[float, int]]:
        """+1 and -1 with their times; what a killed one held ended with it."""
        self._reader.join(30)
        if self.killed_at is None:
            return self.lines
        held = sum(change for _, change in self.lines)
        return [*self.lines, (self.killed_at, -held)] if held else self.lines


def run_contention(
    redis_url: str, *, processes: int, tasks: int, slots: int, kills: int, max_task_seconds: float = 0.1
) -> ContentionResult:
    """Let processes contend; kill some of them, as soon as tasks of each run. Returns when all tasks have ended."""
    contenders = [_ContenderProcess(redis_url, slots, tasks, max_task_seconds) for _ in range(processes)]
    for victim in contenders[:kills]:
        while sum(change for _, change in list(victim.lines)) < 2 and victim.process.poll() is None:
            time.sleep(0.002)
    for victim in contenders[:kills]:  # together, or the places of one would be waited for on account of the other
        victim.kill()
    for one in contenders[kills:]:
        one.process.wait(120)
    changes = sorted(change for one in contenders for change in one.changes())
    active, most, full_at = 0, 0, []
    for at, change in changes:
        active += change
        most = max(most, active)
        if active >= slots:
            full_at.append(at)
    killed = [one.killed_at for one in contenders[:kills] if one.killed_at]
    waits = [next((at - kill for at in full_at if at > kill), float("inf")) for kill in killed]
    return ContentionResult(most, sum(change == -1 for _, change in changes), waits)
