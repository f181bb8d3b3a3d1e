"""A command in a terminal of its own: what it shows, what is typed, how it ends."""

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
    """A process whose controlling terminal is ours. Ctrl-C goes to all in its foreground, as from a keyboard."""

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
        with contextlib.suppress(OSError):  # the other end has been closed
            while data := os.read(self._master_fd, 65536):
                self._raw += data

    @property
    def text(self) -> str:
        """All that has been shown, without colours and movements of the cursor."""
        return _ESCAPE_SEQUENCE.sub("", self._raw.decode(errors="replace")).replace("\r", "\n")

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Return once a text has been shown."""
        wait_until(lambda: text in self.text or self.has_exited, f"{text!r} in the terminal", seconds)
        assert text in self.text, self.text

    def type_text(self, text: str) -> None:
        """Press keys."""
        os.write(self._master_fd, text.encode())

    def press_ctrl_c(self) -> None:
        """Interrupt what runs in the foreground."""
        self.type_text("\x03")

    @property
    def has_exited(self) -> bool:
        """Whether the command is over."""
        return self._process.poll() is not None

    def wait(self, seconds: float = 30) -> int:
        """Its exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Close the window, as a person would: the command is told by SIGHUP, and can print no more."""
        os.close(self._master_fd)
