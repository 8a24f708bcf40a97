"""Workers that only write down what they are told, and obey at once, or do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_agent.worker.job import Apply, Job, Order, Protection, SetVeil, TryModel, UseModel
from edge_agent.worker.report import SinkReport, TrialReport, WorkerReport


class FakeWorkers:
    """`protections` and `veiled` are what each stream's picture is shown with now."""

    def __init__(self, on_report: Callable[[str, WorkerReport], None]) -> None:
        self._on_report = on_report
        self.jobs: dict[str, Job] = {}
        self.protections: dict[str, Protection] = {}
        self.veiled: dict[str, bool] = {}
        self.cards: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.refuse_cards: set[str] = set()
        self.dies_of_cards: set[str] = set()
        self.restarted: dict[str, int] = {}
        self.obedient = True
        self._numbers: dict[str, int] = {}
        self._refused: dict[str, dict[int, str]] = {}

    def run(self, stream_id: str, job: Job) -> None:
        assert stream_id not in self.jobs, "it runs already"
        self.told.append((stream_id, "run"))
        self.jobs[stream_id] = job
        self.protections[stream_id] = job.protection
        self.veiled[stream_id] = job.veiled
        self.cards[stream_id] = job.card
        self._numbers[stream_id], self._refused[stream_id] = 0, {}
        self.report(stream_id)

    def order(self, stream_id: str, order: Order) -> None:
        self.told.append((stream_id, order.do))
        self._numbers[stream_id] = order.number
        if isinstance(order, Apply):
            self.protections[stream_id] = order.protection
        elif isinstance(order, SetVeil):
            self.veiled[stream_id] = order.on
        elif isinstance(order, UseModel | TryModel) and order.card in self.dies_of_cards:
            self.restarted[stream_id] = self.restarted.get(stream_id, 0) + 1
            self._refused[stream_id][order.number] = "worker_died"
        elif isinstance(order, UseModel):
            if order.card in self.refuse_cards:
                self._refused[stream_id][order.number] = "model_broken"
            else:
                self.cards[stream_id] = order.card
        elif isinstance(order, TryModel):
            self.report(stream_id, trial=_trial(order.card))
            return
        if self.obedient:
            self.report(stream_id)

    def report(self, stream_id: str, **fields: Any) -> None:
        """Tell that all is well, apart from `fields`."""
        veiled = self.veiled[stream_id]
        usual: dict[str, Any] = {
            "run": "running",
            "state": "DEGRADED" if veiled else "PROTECTED",
            "reason": "veiled" if veiled else None,
            "veiled": veiled,
            "done": self._numbers[stream_id],
            "refused": dict(self._refused[stream_id]),
            "source_connected": True,
            "sinks": tuple(
                SinkReport(connected=True, reconnects=0) for _ in self.jobs[stream_id].sinks
            ),
        }
        self._on_report(stream_id, WorkerReport.model_validate(usual | fields))

    def end(self, stream_id: str) -> None:
        self.told.append((stream_id, "end"))
        for known in (self.jobs, self.protections, self.veiled, self.cards):
            known.pop(stream_id)  # type: ignore[attr-defined]
        self._on_report(stream_id, WorkerReport(run="stopped", state="HELD"))

    def restarts(self, stream_id: str) -> int:
        return self.restarted.get(stream_id, 0)

    def usage(self) -> tuple[float, int]:
        return 0.5 * len(self.jobs), 1_000_000 * len(self.jobs)

    def close(self) -> None:
        for stream in list(self.jobs):
            self.end(stream)


def _trial(card: str) -> TrialReport:
    return TrialReport(
        card=card, finished=True, looks=20, failed=0.0, disagreed=0.1,
        rescued_old=0.0, rescued_new=0.0, seconds_old=0.04, seconds_new=0.05,
    )  # fmt: skip
