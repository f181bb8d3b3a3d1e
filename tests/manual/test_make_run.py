"""`make run`: one command, readable output, nothing left running."""

import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from testing.checkout import Checkout
from testing.clients.pseudo_terminal import PseudoTerminal
from testing.services import LOCAL_HTTPX_OPTIONS, execute_sql, find_free_port, get_database_url, wait_until
from testing.site import SiteProcess, copy_seeded_data_directory


def _make_run(checkout: Checkout, port: int, **extra: str) -> PseudoTerminal:
    return PseudoTerminal(["make", "run", f"PORT={port}"], checkout.root, checkout.environment(**extra))


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", **LOCAL_HTTPX_OPTIONS).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def fresh_checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A fresh clone in a path with spaces and a comma."""
    checkout = Checkout(tmp_path / "my projects" / "brand, visibility")
    yield checkout
    _end_all(checkout)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A clone whose database has all tables."""
    checkout = Checkout(tmp_path / "checkout")
    copy_seeded_data_directory(checkout.root / "var" / "postgres")
    yield checkout
    _end_all(checkout)


def _end_all(checkout: Checkout) -> None:
    """Kill the processes of a failed test."""
    for process in checkout.find_processes():
        process.kill()


def test_fresh_clone_runs_a_sample_and_finds_it_after_a_restart(fresh_checkout: Checkout) -> None:
    port = find_free_port()
    first = _make_run(fresh_checkout, port)
    first.wait_for("按 Ctrl-C 停止")
    assert "100% 已完成" in first.text
    assert "演示数据" in first.text
    assert f"报告: http://127.0.0.1:{port}/diagnoses/" in first.text
    assert _is_ready(port)
    assert "[info" not in first.text
    assert "diagnosis_ended" in (fresh_checkout.root / "var" / "site.log").read_text()
    first.press_ctrl_c()
    first.wait()
    assert "Error" not in first.text
    assert fresh_checkout.find_processes() == []

    second = _make_run(fresh_checkout, port, DEMO_LATENCY="5")
    second.wait_for("询问中 0/18")
    assert "找到之前的诊断" in second.text
    second.press_ctrl_c()
    second.wait_for("再按一次 Ctrl-C 立即停止")
    second.press_ctrl_c()
    second.wait()
    assert "Traceback" not in second.text
    assert fresh_checkout.find_processes() == []


def test_two_sites_share_the_embedded_database(checkout: Checkout) -> None:
    ports = [find_free_port(), find_free_port()]
    first, second = (_make_run(checkout, port) for port in ports)
    for terminal in (first, second):
        terminal.wait_for("按 Ctrl-C 停止")
    first.send_signal(signal.SIGTERM)
    first.wait()
    assert [_is_ready(port) for port in ports] == [False, True]
    # A killed process cannot stop the database; the next one takes it over and stops it.
    _find_python(checkout, ports[1]).kill()
    second.wait()
    postmaster = psutil.Process(int((checkout.root / "var" / "postgres" / "postmaster.pid").read_text().split()[0]))
    third = _make_run(checkout, ports[0])
    third.wait_for("找到之前的诊断")
    assert postmaster.is_running()
    third.wait_for("按 Ctrl-C 停止")
    third.press_ctrl_c()
    third.wait()
    assert checkout.find_processes() == []


def _find_python(checkout: Checkout, port: int) -> psutil.Process:
    serving = [process for process in checkout.find_processes() if "manage.py" in process.cmdline()]
    return next(process for process in serving if process.environ().get("PORT") == str(port))


def test_closed_terminal_leaves_nothing_running(checkout: Checkout) -> None:
    command = [".venv/bin/python", "manage.py", "serve", "--sample", "--port", str(find_free_port())]
    terminal = PseudoTerminal(command, checkout.root, checkout.environment(DEMO_LATENCY="5"))
    terminal.wait_for("询问中 0/18")
    terminal.close()
    terminal.wait()
    assert checkout.find_processes() == []


def test_simultaneous_starts_migrate_once() -> None:
    name = f"empty_{find_free_port()}"
    execute_sql(get_database_url("postgres"), f"CREATE DATABASE {name}")
    address, ports = get_database_url(name), [find_free_port(), find_free_port()]
    with (
        SiteProcess(["serve", "--migrate"], address, PORT=str(ports[0])) as one,
        SiteProcess(["serve", "--migrate"], address, PORT=str(ports[1])) as other,
    ):
        for process, port in ((one, ports[0]), (other, ports[1])):
            wait_until(lambda: _is_ready(port) or not process.is_running, "both to be ready", 240)  # noqa: B023
            assert process.is_running, process.log.read_text()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"DATABASE_URL": "nonsense"}, "error: in the environment, DATABASE_URL: Not a valid database URL"),
        ({"DATABASE_URL": "postgresql://me@127.0.0.1:1/x"}, "cannot reach the database (DATABASE_URL): connection to"),
        ({"PORT": "eight"}, 'error: Environment variable "PORT" invalid: Not a valid integer.'),
    ],
    ids=["broken DATABASE_URL", "no database there", "no number"],
)
def test_wrong_environment_is_reported_in_one_line(
    fresh_checkout: Checkout, settings: dict[str, str], told: str
) -> None:
    (line,) = fresh_checkout.run_expecting_failure("make", "run", **settings)
    assert told in line
    assert not (fresh_checkout.root / "var" / "postgres").exists() or "PORT" in settings


def test_port_in_use_is_reported_in_one_line(checkout: Checkout) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (line,) = checkout.run_expecting_failure("make", "run", f"PORT={other.getsockname()[1]}")
    assert "Address already in use" in line
    assert "make run PORT=9000" in line
    assert checkout.find_processes() == []


def test_unusable_var_is_reported_in_one_line(fresh_checkout: Checkout) -> None:
    (fresh_checkout.root / "var").mkdir()
    (fresh_checkout.root / "var" / "postgres.lock").mkdir()  # not writable, even for root
    (line,) = fresh_checkout.run_expecting_failure("make", "run")
    assert line.startswith("error: the embedded PostgreSQL did not start: ")


@pytest.mark.parametrize(
    ("python", "told"),
    [
        (None, "error: Python 3.11 or later was not found"),
        ('[ "$1" = --version ] && echo Python 3.9.2; exit 1', "error: Python 3.11 or later was not found"),
        ('case "$2" in *ensurepip*) exit 1; esac', "error: python3 lacks venv or pip"),
    ],
    ids=["no Python", "an old one", "one without venv"],
)
def test_missing_python_is_reported_in_one_line(
    fresh_checkout: Checkout, tmp_path: Path, python: str | None, told: str
) -> None:
    shutil.rmtree(fresh_checkout.root / ".venv")
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("make", "sh", "nproc"):
        found = shutil.which(name)
        if found:
            (path / name).symlink_to(found)
    if python:
        (path / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (path / "python3").chmod(0o755)
    (line,) = fresh_checkout.run_expecting_failure("make", "run", PATH=str(path))
    assert line.startswith(told)
