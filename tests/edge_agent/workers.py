"""Real workers under a real supervisor, and what they reported."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.detect.card import find_model
from edge_agent.settings import Encode
from edge_agent.worker.job import Job, Protection
from edge_agent.worker.report import WorkerReport
from edge_agent.worker.supervisor import Supervisor
from tests.faults.command import wait_until

STREAM = "gate-1"
CARD = str(find_model())


class Told:
    """Every report of every stream, in order."""

    def __init__(self) -> None:
        self._reports: dict[str, list[WorkerReport]] = {}
        self._lock = threading.Lock()

    def __call__(self, stream: str, report: WorkerReport) -> None:
        with self._lock:
            self._reports.setdefault(stream, []).append(report)

    def all(self, stream: str = STREAM) -> list[WorkerReport]:
        with self._lock:
            return list(self._reports.get(stream, []))

    def wait(
        self,
        so: Callable[[WorkerReport], object],
        what: str,
        *,
        since: int = 0,
        stream: str = STREAM,
    ) -> WorkerReport:
        """The first report, from number `since` on, of which `so` holds."""
        found: list[WorkerReport] = []

        def ready() -> bool:
            found[:] = [report for report in self.all(stream)[since:] if so(report)][:1]
            return bool(found)

        wait_until(ready, f"{what}; the last report: {self.all(stream)[-1:]}")
        return found[0]


@contextmanager
def supervised() -> Iterator[tuple[Supervisor, Told]]:
    told = Told()
    supervisor = Supervisor(told)
    try:
        yield supervisor, told
    finally:
        supervisor.close()


def job(source: Path | str, *sinks: Path | str, protection: Protection | None = None) -> Job:
    return Job(
        source=str(source),
        sinks=tuple(map(str, sinks)),
        loop=True,
        protection=protection or Protection(),
        card=CARD,
        encode=Encode(preset="ultrafast", crf=18),
    )


def spoilt_model(folder: Path) -> str:
    """A model whose file is not the one of its card: the card's path."""
    card = json.loads(Path(CARD).read_text())
    target = folder / "spoilt.json"
    target.write_text(json.dumps(card | {"name": "spoilt", "file": "spoilt.onnx"}))
    shutil.copy(Path(CARD).with_suffix(".onnx"), folder / "spoilt.onnx")
    with (folder / "spoilt.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\0\0\0")
    return str(target)


def left(report: WorkerReport) -> int:
    """How many pictures had left by then."""
    return report.counts.frames_protected + report.counts.frames_veiled
