"""The periodic thread: start, stop, failures, forks."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from errors.periodic_thread import PeriodicThread


class CountingStep:
    """Counts its calls, and raises while `is_failing`."""

    def __init__(self) -> None:
        self.done = 0
        self.is_failing = False

    def __call__(self) -> None:
        self.done += 1
        if self.is_failing:
            raise ConnectionError("unavailable")

    def wait_for(self, number: int) -> None:
        deadline = time.monotonic() + 10
        while self.done < number:
            assert time.monotonic() < deadline, f"only {self.done} calls"
            time.sleep(0.005)


@pytest.fixture
def step() -> CountingStep:
    return CountingStep()


@pytest.fixture
def background(step: CountingStep) -> Iterator[PeriodicThread]:
    thread = PeriodicThread("test-background", step, lambda: 0.01)
    yield thread
    thread.stop()


def list_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-background"]


def test_concurrent_callers_start_one_thread(background: PeriodicThread, step: CountingStep) -> None:
    assert list_threads() == []
    callers = [threading.Thread(target=background.ensure_running) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    step.wait_for(2)
    assert len(list_threads()) == 1
    assert list_threads()[0].daemon


def test_a_stopped_thread_can_be_started_again(background: PeriodicThread, step: CountingStep) -> None:
    background.ensure_running()
    step.wait_for(1)
    background.stop()
    assert list_threads() == []
    done = step.done
    background.ensure_running()
    step.wait_for(done + 1)


def test_a_failure_and_its_recovery_are_logged_once(background: PeriodicThread, step: CountingStep) -> None:
    step.is_failing = True
    with capture_logs() as logs:
        background.ensure_running()
        step.wait_for(5)
        step.is_failing = False
        step.wait_for(step.done + 3)
    assert [entry["event"] for entry in logs] == ["background_failing", "background_works_again"]


def test_an_interval_of_zero_starts_no_thread(step: CountingStep) -> None:
    PeriodicThread("test-background", step, lambda: 0).ensure_running()
    assert list_threads() == []


def test_a_forked_process_starts_its_own_thread(background: PeriodicThread, step: CountingStep) -> None:
    background.ensure_running()
    step.wait_for(1)
    child = os.fork()
    if child == 0:  # pragma: no cover - the child reports by its exit code
        try:
            before = step.done
            background.ensure_running()
            step.wait_for(before + 2)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
