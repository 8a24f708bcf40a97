"""Keeps one stream's worker alive, and its orders in force from one worker to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from edge_agent.media.backoff import Backoff
from edge_agent.worker.child import Child
from edge_agent.worker.job import Apply, End, Job, Order, SetVeil, TryModel, UseModel
from edge_agent.worker.report import SinkReport, WorkerReport

STEADY_S = 10.0
GOODBYE_S = 30.0

log = structlog.get_logger()


class Keeper:
    """A stream under supervision, in a thread of its own, until `end` or until it ends by itself.

    A worker that dies is replaced by one whose job is the newest known. An order that the dead one
    had not carried out is then in force from the start, but for models: these are refused.

    The last report, and no other, says `stopped`. An order that comes later is settled: nothing
    leaves. Each is answered with that report again.
    """

    def __init__(
        self, job: Job, on_report: Callable[[WorkerReport], None], after: Keeper | None
    ) -> None:
        """`after`: a keeper of the same stream whose worker must be gone first."""
        self._job = job
        self._on_report = on_report
        self._after = after
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._ending_at = float("inf")
        self._over = False
        self._child: Child | None = None
        self._models: list[UseModel | TryModel] = []  # not settled yet
        self._sent: set[int] = set()
        self._newest = 0
        self._refused: dict[int, str] = {}
        self._last = WorkerReport(run="starting", state="HELD")
        self.restarts = 0
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the worker that runs, if one does."""
        child = self._child
        return child.pid if child else None

    def order(self, order: Order) -> None:
        """Pass an order on, and keep what it says for the workers to come."""
        with self._lock:
            self._newest = max(self._newest, order.number)
            if isinstance(order, Apply):
                self._job = self._job.model_copy(update={"protection": order.protection})
            elif isinstance(order, SetVeil):
                self._job = self._job.model_copy(update={"veiled": order.on})
            elif isinstance(order, End):
                self._end()
                return
            else:
                self._models.append(order)
            if self._child is not None:
                self._sent.add(order.number)
                self._child.tell(order)
            over = self._over
        if over:
            self._tell(self._last.model_copy(update={"done": order.number}))

    def end(self) -> None:
        """Have the stream end properly. Does not wait for it."""
        with self._lock:
            self._end()

    def check(self) -> None:
        """Kill a worker that is silent, or that does not end. Called every now and then."""
        with self._lock:
            child, late = self._child, time.monotonic() - self._ending_at > GOODBYE_S
        if child is not None and late:
            child.kill()
        elif child is not None:
            child.kill_if_silent()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the end; False when it did not come in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End the worker at once, and for good."""
        self._ending.set()
        child = self._child
        if child is not None:
            child.kill()

    def _end(self) -> None:
        if not self._ending.is_set():
            self._ending_at = time.monotonic()
            self._ending.set()
            if self._child is not None:
                self._child.tell(End(number=self._newest + 1))

    def _work(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        backoff = Backoff()
        while not self._ending.is_set():
            began = time.monotonic()
            last = self._serve()
            if last is not None:
                self._finish(last)
                return
            if self._ending.is_set():
                break
            self._tell(self._mourn())
            if time.monotonic() - began > STEADY_S:
                backoff.reset()
            self._ending.wait(backoff.next())
            self.restarts += 1
        self._finish(self._at_rest("stopped", None))

    def _finish(self, last: WorkerReport) -> None:
        with self._lock:
            self._over, newest = True, self._newest
        self._tell(last.model_copy(update={"done": newest}))

    def _serve(self) -> WorkerReport | None:
        """One worker from its start to its end; its last report if its work is done."""
        last: WorkerReport | None = None
        with self._lock:
            child = self._child = Child(self._job)
            self._sent.clear()
            waiting = [order.number for order in self._models]
            base = min(waiting) - 1 if waiting else self._newest
            for order in self._models:
                self._sent.add(order.number)
                child.tell(order)
            if self._ending.is_set():
                child.tell(End(number=self._newest + 1))
        for report in child.reports():
            told = self._settled(report, base)
            if told.run == "stopped":
                last = told  # told once, when the process is gone
            else:
                self._tell(told)
        with self._lock:
            self._child = None
        status = child.wait()
        log.info("worker_ended", status=status)
        return last if status == 0 else None

    def _settled(self, report: WorkerReport, base: int) -> WorkerReport:
        """A worker's report as it is told: its own orders, and those settled before it."""
        with self._lock:
            done = max(base, min(report.done, self._newest))
            for order in [order for order in self._models if order.number <= report.done]:
                self._models.remove(order)
                if isinstance(order, UseModel) and order.number not in report.refused:
                    self._job = self._job.model_copy(update={"card": order.card})
            self._refused.update(report.refused)
            return report.model_copy(update={"done": done, "refused": dict(self._refused)})

    def _mourn(self) -> WorkerReport:
        """The report of a worker that died: nothing is sent any more."""
        with self._lock:
            for order in [order for order in self._models if order.number in self._sent]:
                self._models.remove(order)
                self._refused[order.number] = "worker_died"
        trial = self._last.trial
        if trial is not None and not trial.finished:
            trial = trial.model_copy(update={"finished": True, "failed": 1.0})
        reason = self._last.reason if self._last.run == "failed" else "worker_died"
        refused = dict(self._refused)
        rest = self._at_rest("failed", reason)
        return rest.model_copy(update={"trial": trial, "refused": refused})

    def _at_rest(self, run: str, reason: str | None) -> WorkerReport:
        """The last report, of a stream that no longer runs."""
        counts = self._last.counts.model_copy(update={"fps": 0.0, "looks_per_second": 0.0})
        sinks = tuple(
            SinkReport(connected=False, reconnects=sink.reconnects) for sink in self._last.sinks
        )
        return self._last.model_copy(
            update={
                "run": run,
                "state": "HELD",
                "reason": reason,
                "veiled": self._job.veiled,
                "delay": 0.0,
                "source_connected": False,
                "sinks": sinks,
                "counts": counts,
            }
        )

    def _tell(self, report: WorkerReport) -> None:
        self._last = report
        try:
            self._on_report(report)
        except Exception as problem:  # noqa: BLE001 - the stream goes on whatever others make of it
            log.error("report_lost", error=type(problem).__name__)
