"""A hold on the process that remuxes one publisher's stream.

A process, because FFmpeg's parsers read what came from outside: a crash or worse in there costs one
connection, and finds neither keys nor the control plane's memory.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from rtmp import flv

PATIENCE_S = 10.0
ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")


class Remuxer:
    """Writes HLS into `folder`, going on with the playlist there, until `close`."""

    def __init__(self, folder: Path, segment_s: float, recording: Path | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "cloud_control.ingest.remux", str(folder), str(segment_s)]
        if recording is not None:
            recording.parent.mkdir(parents=True, exist_ok=True)
            command.append(str(recording))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            start_new_session=True,  # Ctrl-C is for us: it ends when its input does
        )
        assert self._process.stdin is not None
        self._input = self._process.stdin.fileno()
        os.set_blocking(self._input, False)
        self._room = select.poll()
        self._room.register(self._input, select.POLLOUT)
        self._write(flv.HEADER)

    @property
    def pid(self) -> int:
        return self._process.pid

    def take(self, kind: int, time_ms: int, body: bytes) -> bool:
        """The next message of media. False when the process is gone or stuck."""
        return self._write(flv.tag(kind, time_ms, body))

    def close(self) -> str:
        """Let it finish, or make it. What it had to complain about; empty when all was well."""
        try:
            _, complaint = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return "it did not end in time"
        if complaint:
            return complaint.decode("utf-8", "replace").strip()[:500]
        status = self._process.returncode
        return f"it ended with status {status}" if status else ""

    def _write(self, data: bytes) -> bool:
        rest = memoryview(data)
        deadline = time.monotonic() + PATIENCE_S
        while rest:
            try:
                rest = rest[os.write(self._input, rest) :]
            except BlockingIOError:
                if not self._room.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    return False
            except OSError:
                return False
        return True
