"""The real command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

VEILCAST = [sys.executable, "-c", "from edge_agent.cli import main; main()"]
PATIENCE_S = 60.0


def start(
    *arguments: str | Path, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start `veilcast ARGUMENTS`; `before` runs in the child first."""
    return subprocess.Popen(
        [*VEILCAST, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        preexec_fn=before,  # noqa: PLW1509 - no thread of this process holds a lock that matters
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for its end; a user must never see a traceback."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def redact(
    source: Path, target: Path, *flags: str, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """`veilcast redact` from start to end."""
    return finish(start("redact", source, target, *flags, before=before))


def wait_until(ready: Callable[[], object], what: str) -> None:
    """Look every 50 ms until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.05)
