"""The embedded PostgreSQL is shared by processes and stopped by the last one, even after crashes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from diagsite.server.embedded_postgres import EmbeddedDatabaseError, EmbeddedPostgres, embedded_database
from testing.services import wait_until
from testing.site import PROJECT_ROOT

# A process that uses the server: prints a line when it is connected, and ends when its input ends.
USER = """
import sys
from pathlib import Path
from diagsite.server.embedded_postgres import embedded_database
with embedded_database(Path(sys.argv[1])) as server:
    print(server.get_uri(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore DATABASE_URL, which `embedded_database` changes."""
    monkeypatch.setenv("DATABASE_URL", os.environ["DATABASE_URL"])


@pytest.fixture(scope="module")
def whole_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy, because creating one takes seconds."""
    directory = tmp_path_factory.mktemp("embedded") / "postgres"
    server = EmbeddedPostgres(directory)
    server.start()
    server.release()
    return directory


@pytest.fixture
def directory(whole_directory: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy for one test."""
    yield _copy(whole_directory, tmp_path / "postgres")
    left = _find_postmaster(tmp_path / "postgres")
    assert left is None or not left.is_running(), "a test has left its server behind"


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


def _find_postmaster(directory: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((directory / "postmaster.pid").read_text().split()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _start_user(directory: Path) -> subprocess.Popen[str]:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(directory)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout
    assert user.stdout.readline().startswith("postgresql://")
    return user


def _leave(user: subprocess.Popen[str]) -> None:
    user.communicate(timeout=180)
    assert user.returncode == 0


def _run_query(uri: str) -> object:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT upper('é')").fetchone()
    assert row
    return row[0]


def test_server_runs_only_inside_the_block(directory: Path) -> None:
    with embedded_database(directory) as server:
        assert os.environ["DATABASE_URL"] == server.get_uri()
        assert _run_query(server.get_uri()) == "É"
    assert _find_postmaster(directory) is None


@pytest.mark.parametrize("name", ["with space", 'comma, "quotes" and $money', "x" * 120], ids=["space", "odd", "long"])
def test_long_and_unusual_paths_work(whole_directory: Path, tmp_path: Path, name: str) -> None:
    directory = _copy(whole_directory, tmp_path / name / "postgres")
    with embedded_database(directory) as server:
        sockets = server.socket_directory
        assert _run_query(server.get_uri()) == "É"
    assert not (sockets / ".s.PGSQL.5432").exists()
    assert sockets == directory or not sockets.exists()


def test_last_user_stops_the_server(directory: Path) -> None:
    first, second = _start_user(directory), _start_user(directory)
    postmaster = _find_postmaster(directory)
    assert postmaster
    _leave(first)
    assert postmaster.is_running()
    _leave(second)
    wait_until(lambda: not postmaster.is_running(), "the server to stop")


def test_killed_user_does_not_keep_the_server_running(directory: Path) -> None:
    killed, other = _start_user(directory), _start_user(directory)
    killed.kill()
    killed.communicate()
    _leave(other)
    assert _find_postmaster(directory) is None


def test_next_user_takes_over_the_server_of_a_killed_one(directory: Path) -> None:
    killed = _start_user(directory)
    postmaster = _find_postmaster(directory)
    killed.kill()
    killed.communicate()
    with embedded_database(directory):
        assert _find_postmaster(directory) == postmaster
    assert _find_postmaster(directory) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_terminated_user_stops_the_server(directory: Path, number: signal.Signals) -> None:
    user = _start_user(directory)
    user.send_signal(number)
    user.communicate(timeout=180)
    assert user.returncode != 0
    assert _find_postmaster(directory) is None


def test_killed_server_is_restarted(directory: Path) -> None:
    with embedded_database(directory) as server:
        postmaster = _find_postmaster(directory)
        assert postmaster
        postmaster.kill()
        wait_until(lambda: not server.is_running, "the server to be dead")
        server.ensure_running()
        assert _run_query(server.get_uri()) == "É"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("name", ["short", "x" * 120], ids=["short", "long"])
def test_restarted_server_keeps_its_address(
    whole_directory: Path, tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """Processes that use the server have its URL in their settings."""
    directory = _copy(whole_directory, tmp_path / name / "postgres")
    with embedded_database(directory) as server:
        uri, postmaster = server.get_uri(), _find_postmaster(directory)
        assert postmaster
        postmaster.send_signal(number)
        wait_until(
            lambda: not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE, "the server to end"
        )
        server.ensure_running()
        assert server.get_uri() == uri
        assert _run_query(uri) == "É"


def test_pid_of_another_process_is_ignored(directory: Path) -> None:
    # As after a reboot: the file is from a dead server, and its pid belongs to another process.
    lines = [str(os.getpid()), str(directory), "1700000000", "5432", str(directory), "", "1 1", "ready"]
    (directory / "postmaster.pid").write_text("\n".join(lines))
    with embedded_database(directory) as server:
        assert _run_query(server.get_uri()) == "É"


@pytest.mark.parametrize("content", ["", "12\n", "not a number"])
def test_broken_pid_file_is_ignored(directory: Path, content: str) -> None:
    (directory / "postmaster.pid").write_text(content)
    with embedded_database(directory) as server:
        assert _run_query(server.get_uri()) == "É"


def test_interrupted_creation_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with embedded_database(tmp_path / "postgres") as server:
        assert _run_query(server.get_uri()) == "É"


def test_failed_start_has_a_one_line_reason(directory: Path) -> None:
    (directory / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedDatabaseError) as told:
        EmbeddedPostgres(directory).start()
    assert "database files are incompatible" in str(told.value)
    assert "\n" not in str(told.value)


def test_unusable_directory_has_a_one_line_reason(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where a directory should be")
    with pytest.raises(EmbeddedDatabaseError) as told:
        EmbeddedPostgres(tmp_path / "var" / "postgres").start()
    assert str(tmp_path / "var") in str(told.value)
    assert "\n" not in str(told.value)
