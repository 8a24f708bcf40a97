"""One worker process, and the two pipes to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import structlog
from pydantic import BaseModel, ValidationError

from edge_agent.worker.job import Job, Order
from edge_agent.worker.report import WorkerReport

COMMAND = (sys.executable, "-P", "-m", "edge_agent.worker")
FIRST_WORD_S = 60.0  # a machine that is busy takes its time to start a process
SILENCE_S = 10.0

log = structlog.get_logger()


class Child:
    """A process that has been given its job. It dies with this one: its input ends then."""

    def __init__(self, job: Job) -> None:
        # What the worker logs goes where this process's own log goes.
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._deadline = time.monotonic() + FIRST_WORD_S
        self.tell(job)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, message: Job | Order) -> None:
        """Send a line, without ever waiting: a worker that does not read is of no use any more."""
        assert self._process.stdin is not None
        line = _line(message)
        try:
            if self._process.stdin.write(line) != len(line):
                self.kill()
        except OSError:  # it is gone, which `reports` will tell
            return

    def reports(self) -> Iterator[WorkerReport]:
        """What it says, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._deadline = time.monotonic() + SILENCE_S
            try:
                yield WorkerReport.model_validate_json(line)
            except ValidationError as problem:
                log.error("bad_report", faults=problem.error_count())

    def kill_if_silent(self) -> None:
        """End a worker that has not said anything for too long."""
        if time.monotonic() > self._deadline and self._process.poll() is None:
            log.error("worker_silent", action="killed", pid=self.pid)
            self.kill()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return status


def _line(message: BaseModel) -> bytes:
    return message.model_dump_json().encode() + b"\n"
