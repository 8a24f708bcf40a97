"""The real `veilcast` command in processes that can be killed, and waiting for what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

VEILCAST = [sys.executable, "-c", "from edge_agent.cli import main; main()"]
PATIENCE_S = 120.0


def veilcast(*arguments: str | Path, given: str | None = None) -> str:
    """Run a command to its end; its standard output. It must succeed."""
    done = subprocess.run(
        [*VEILCAST, *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


class Daemon:
    """A command that runs until it is stopped or killed; what it says goes to `log`."""

    def __init__(self, log: Path, *arguments: str | Path) -> None:
        self.log = log
        self.environment: dict[str, str] = {}
        self._arguments = [*VEILCAST, *map(str, arguments)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"COLUMNS": "200"} | self.environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """With no chance to do anything more."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> int:
        """End it as Ctrl-C would; its status. It must never show a traceback."""
        if self._process is None:
            return 0
        if self.alive:
            self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            raise
        assert "Traceback" not in self.text(), self.text()[-4000:]
        return status

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def wait_for(ready: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Look now and then until it is so."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.25)
