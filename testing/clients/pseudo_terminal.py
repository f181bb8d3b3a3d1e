"""A command in a pseudo-terminal: read what it shows, type, send signals, close the window."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from testing.services import wait_until

# Makes its standard input the controlling terminal of a new session, then becomes the command.
_SESSION_LEADER_SCRIPT = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class PseudoTerminal:
    """A command with a controlling terminal, so that Ctrl-C reaches all processes of its foreground group."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self._master_fd, slave_fd = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SESSION_LEADER_SCRIPT, *command],
            cwd=cwd,
            env={**environment, "TERM": "xterm", "COLUMNS": "120"},
            stdin=slave_fd,
            stdout=slave_fd,
            stderr=slave_fd,
        )
        os.close(slave_fd)
        self._raw = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the command has closed its end
            while data := os.read(self._master_fd, 65536):
                self._raw += data

    @property
    def text(self) -> str:
        """All output without escape sequences."""
        return _ESCAPE_SEQUENCE.sub("", self._raw.decode(errors="replace")).replace("\r", "\n")

    def wait_for(self, text: str, seconds: float = 240) -> None:
        """Return once the output contains a text. Raises TimeoutError, or AssertionError if the command ends before."""
        try:
            wait_until(lambda: text in self.text or self.has_exited, f"{text!r} in the terminal", seconds)
        except TimeoutError as error:
            error.add_note(self.text)
            raise
        assert text in self.text, self.text

    def type_text(self, text: str) -> None:
        """Write to the terminal as the keyboard does."""
        os.write(self._master_fd, text.encode())

    def press_ctrl_c(self) -> None:
        """Interrupt the foreground group."""
        self.type_text("\x03")

    @property
    def has_exited(self) -> bool:
        """Whether the command has ended."""
        return self._process.poll() is not None

    def wait(self, seconds: float = 180) -> int:
        """Wait for the end and return the exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def send_signal(self, signal_number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(signal_number)

    def close(self) -> None:
        """Close the terminal: the command receives SIGHUP and can no longer print."""
        os.close(self._master_fd)
