"""The thread of a process: it starts when it is needed, survives a fork, and ends when it is told."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from errors.periodic_thread import PeriodicThread


class Steps:
    """Counts its steps, and fails while it is told to."""

    def __init__(self) -> None:
        self.done = 0
        self.is_failing = False

    def __call__(self) -> None:
        self.done += 1
        if self.is_failing:
            raise ConnectionError("away")

    def wait_for(self, number: int) -> None:
        deadline = time.monotonic() + 10
        while self.done < number:
            assert time.monotonic() < deadline, f"only {self.done} steps"
            time.sleep(0.005)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def background(steps: Steps) -> Iterator[PeriodicThread]:
    thread = PeriodicThread("test-background", steps, lambda: 0.01)
    yield thread
    thread.stop()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-background"]


def test_it_starts_once_however_many_ask(background: PeriodicThread, steps: Steps) -> None:
    assert threads() == []
    callers = [threading.Thread(target=background.ensure_running) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    steps.wait_for(2)
    assert len(threads()) == 1
    assert threads()[0].daemon


def test_it_ends_when_told_and_starts_again_when_needed(background: PeriodicThread, steps: Steps) -> None:
    background.ensure_running()
    steps.wait_for(1)
    background.stop()
    assert threads() == []
    done = steps.done
    background.ensure_running()
    steps.wait_for(done + 1)


def test_a_failing_step_is_told_once_and_its_recovery_too(background: PeriodicThread, steps: Steps) -> None:
    steps.is_failing = True
    with capture_logs() as logs:
        background.ensure_running()
        steps.wait_for(5)
        steps.is_failing = False
        steps.wait_for(steps.done + 3)
    assert [entry["event"] for entry in logs] == ["background_failing", "background_works_again"]


def test_without_a_period_there_is_no_thread(steps: Steps) -> None:
    PeriodicThread("test-background", steps, lambda: 0).ensure_running()
    assert threads() == []


def test_a_forked_process_gets_a_thread_of_its_own(background: PeriodicThread, steps: Steps) -> None:
    background.ensure_running()
    steps.wait_for(1)
    child = os.fork()
    if child == 0:  # pragma: no cover - the child reports by its exit code
        try:
            before = steps.done
            background.ensure_running()
            steps.wait_for(before + 2)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
