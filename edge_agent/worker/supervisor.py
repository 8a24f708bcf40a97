"""All streams of an agent, each in a process of its own: none can harm another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psutil

from edge_agent.worker.job import Job, Order
from edge_agent.worker.keeper import Keeper
from edge_agent.worker.report import WorkerReport

CHECK_S = 0.5
GOODBYE_S = 35.0


class Supervisor:
    """Starts, steers and restarts workers. Callable from any thread; nothing but `close` waits.

    `on_report` gets a stream's id and its newest report, from a thread of that stream.
    """

    def __init__(self, on_report: Callable[[str, WorkerReport], None]) -> None:
        self._on_report = on_report
        self._keepers: dict[str, Keeper] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._measured: dict[int, psutil.Process] = {}
        threading.Thread(target=self._mind, name="supervisor", daemon=True).start()

    def run(self, stream_id: str, job: Job) -> None:
        """Begin a stream. One that runs under this id ends first, properly."""
        with self._lock:
            before = self._keepers.get(stream_id)
            if before is not None:
                before.end()
            self._keepers[stream_id] = Keeper(job, partial(self._on_report, stream_id), before)

    def order(self, stream_id: str, order: Order) -> None:
        """Give a stream an order; one that is not known has none to obey."""
        keeper = self._keepers.get(stream_id)
        if keeper is not None:
            keeper.order(order)

    def end(self, stream_id: str) -> None:
        """Have a stream end properly; its last report says `stopped`."""
        keeper = self._keepers.get(stream_id)
        if keeper is not None:
            keeper.end()

    def restarts(self, stream_id: str) -> int:
        """How often its worker was replaced since `run`."""
        keeper = self._keepers.get(stream_id)
        return keeper.restarts if keeper else 0

    def usage(self) -> tuple[float, int]:
        """What all workers and what they started use: cores since the last call, resident bytes."""
        cores, memory, seen = 0.0, 0, dict[int, psutil.Process]()
        for keeper in list(self._keepers.values()):
            for process in _family(keeper.pid):
                known = self._measured.get(process.pid, process)
                seen[process.pid] = known if known == process else process
        for process in seen.values():
            with suppress(psutil.Error):
                cores += process.cpu_percent() / 100
                memory += process.memory_info().rss
        self._measured = seen
        return cores, memory

    def close(self) -> None:
        """End all streams properly, and those that do not end by force."""
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.end()
        until = time.monotonic() + GOODBYE_S
        for keeper in keepers:
            if not keeper.join(max(until - time.monotonic(), 0.0)):
                keeper.kill()
                keeper.join()
        self._closed.set()

    def _mind(self) -> None:
        while not self._closed.wait(CHECK_S):
            for keeper in list(self._keepers.values()):
                keeper.check()


def _family(pid: int | None) -> list[psutil.Process]:
    if pid is None:
        return []
    try:
        worker = psutil.Process(pid)
        return [worker, *worker.children(recursive=True)]
    except psutil.Error:
        return []
