"""A process that runs the diagnoses whose ids it reads, a line each, at the same time.

python -m testing.workers.diagnosis_process
"""

import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path

import django

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class DiagnosisProcess:
    """Such a process on this process's database."""

    def __init__(self, **environment: str) -> None:
        command = [sys.executable, "-m", "testing.workers.diagnosis_process"]
        self.process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=os.environ | environment, stdin=subprocess.PIPE, text=True
        )

    def run(self, diagnosis_id: uuid.UUID) -> None:
        """Begin to run a diagnosis."""
        assert self.process.stdin
        self.process.stdin.write(f"{diagnosis_id}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End the process in the middle of everything."""
        self.process.kill()
        self.process.wait()


async def _run_diagnoses() -> None:
    from diagnosis.running.runner import run_diagnosis

    running = set[asyncio.Task[None]]()
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.create_task(run_diagnosis(uuid.UUID(line.strip())))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    django.setup()
    asyncio.run(_run_diagnoses())
