"""The streams that run: what their workers were told, and what they said last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from edge_agent.fleet.reconcile import Begin, Change, Finish, Plan, Rest, step
from edge_agent.worker.job import Apply, Job, Order, SetVeil, TryModel, UseModel
from edge_agent.worker.report import WorkerReport

Done = Callable[[str | None], None]  # why an order failed; None: it is in force


class Workers(Protocol):
    """Runs streams in processes of their own. A worker that dies is started again with what it was
    told last, and until then sends nothing; orders about models that it had not carried out are
    then refused. `run` in place of another lets that one end first; the last report of each says
    `stopped`."""

    def run(self, stream_id: str, job: Job) -> None: ...
    def order(self, stream_id: str, order: Order) -> None: ...
    def end(self, stream_id: str) -> None: ...
    def restarts(self, stream_id: str) -> int: ...
    def usage(self) -> tuple[float, int]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """Someone who wants to know when order `number` is in force, or when `met` says so."""

    number: int
    met: Callable[[WorkerReport], bool]
    done: Done


@dataclass(slots=True)
class Running:
    """One stream with a worker. `number` is that of its newest order, `trial` that of its newest
    trial, which is done only when it is over; `former`: workers that must end first."""

    job: Job
    former: int = 0
    number: int = 0
    trial: int = 0
    report: WorkerReport | None = None
    waiting: list[Waiting] = field(default_factory=list)


class Streams:
    """For the agent's thread alone."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.running: dict[str, Running] = {}
        self.leaving: dict[str, Running] = {}
        self.plan: Plan = {}

    def follow(self, plan: Plan) -> None:
        """Bring the workers to `plan`. What is listed no more ends."""
        self.plan = plan
        for stream in [*self.running, *(each for each in plan if each not in self.running)]:
            before = self.running.get(stream)
            todo = step(before.job if before else None, plan.get(stream))
            if isinstance(todo, Finish):
                self._finish(stream)
            elif isinstance(todo, Begin):
                self._begin(stream, todo.job)
            elif isinstance(todo, Change) and before:
                self._change(stream, before, todo)
                job = plan[stream]
                assert isinstance(job, Job)
                before.job = job

    def heard(self, stream: str, report: WorkerReport) -> None:
        """Whoever waited for what this report brings is told."""
        running = self.running.get(stream) or self.leaving.get(stream)
        if running is None:
            return
        running.report = report
        if running.former:
            running.former -= report.run == "stopped"
            if not running.former:
                self.leaving.pop(stream, None)
            return
        waiting, running.waiting = running.waiting, []
        for each in waiting:
            if each.number in report.refused:
                each.done(report.refused[each.number])
            elif report.done >= each.number or each.met(report):
                each.done(None)
            else:
                running.waiting.append(each)

    def when_done(
        self,
        stream: str,
        done: Done,
        *,
        met: Callable[[WorkerReport], bool] = lambda _: False,
    ) -> None:
        """Call `done` when the stream's newest order is in force; at once if none is open.

        `met` tells it from a report sooner than the order's number does.
        """
        running = self.running.get(stream)
        if running is None or self.settled(stream):
            done(None)
        else:
            running.waiting.append(Waiting(running.number, met, done))

    def when_all_done(self, done: Done) -> None:
        """The same for all streams together, with the first failure."""
        open_streams = {stream for stream in self.running if not self.settled(stream)}
        failures: list[str] = []
        if not open_streams:
            done(None)

        def one_done(stream: str) -> Done:
            def tell(reason: str | None) -> None:
                open_streams.discard(stream)
                failures.extend([reason] if reason else [])
                if not open_streams:
                    done(failures[0] if failures else None)

            return tell

        for stream in tuple(open_streams):
            self.when_done(stream, one_done(stream))

    def settled(self, stream: str) -> bool:
        """Whether the worker follows everything that it was told; a trial does not count."""
        running = self.running.get(stream)
        if running is None:
            return True
        if running.former:
            return False
        if running.number == 0:
            return True
        needed = running.number - 1 if running.number == running.trial else running.number
        return running.report is not None and running.report.done >= needed

    def refused(self, stream: str) -> str | None:
        """Why the newest order failed, if it did."""
        running = self.running.get(stream)
        if running is None or running.report is None:
            return None
        return running.report.refused.get(running.number)

    def live(self) -> list[str]:
        """Streams whose video arrives and leaves now."""
        return [
            stream
            for stream, running in self.running.items()
            if running.report and running.report.run == "running" and not running.former
        ]

    def missing(self, stream: str) -> str | None:
        """What a stream that shall run lacks on this device."""
        planned = self.plan.get(stream)
        return planned.missing if isinstance(planned, Rest) else None

    def restarts(self, stream: str) -> int:
        return self._workers.restarts(stream) if stream in self.running else 0

    def usage(self) -> tuple[float, int]:
        """Processor cores and bytes in use by all workers."""
        return self._workers.usage()

    def try_model(self, stream: str, card: str, seconds: float) -> int:
        """Begin a trial; the number of its order."""
        running = self.running[stream]
        self._order(stream, running, lambda n: TryModel(number=n, card=card, seconds=seconds))
        running.trial = running.number
        return running.number

    def close(self) -> None:
        self._workers.close()
        self.running.clear()

    def shown(self, stream: str) -> WorkerReport | None:
        """How a stream stands that is not at rest; None before its first report."""
        running = self.running.get(stream) or self.leaving.get(stream)
        return running.report if running else None

    def at_rest(self, stream: str) -> bool:
        """Whether it has no worker any more."""
        return stream not in self.running and stream not in self.leaving

    def _begin(self, stream: str, job: Job) -> None:
        if stream in self.running:
            self._finish(stream)
        former = self.leaving.pop(stream, None)
        self.running[stream] = Running(
            job, former.former if former else 0, report=former.report if former else None
        )
        self._workers.run(stream, job)

    def _finish(self, stream: str) -> None:
        running = self.running.pop(stream)
        ended = running.report is not None and running.report.run == "stopped"
        former = running.former + (0 if ended and not running.former else 1)
        if former:
            self.leaving[stream] = Running(running.job, former, report=running.report)
        self._workers.end(stream)
        for each in running.waiting:
            each.done(None)  # nothing leaves any more

    def _change(self, stream: str, running: Running, change: Change) -> None:
        """A veil goes first, what ends one goes last."""
        if change.veiled:
            self._order(stream, running, lambda number: SetVeil(number=number, on=True))
        if (protection := change.protection) is not None:
            self._order(stream, running, lambda n: Apply(number=n, protection=protection))
        if (card := change.card) is not None:
            self._order(stream, running, lambda number: UseModel(number=number, card=card))
        if change.veiled is False:
            self._order(stream, running, lambda number: SetVeil(number=number, on=False))

    def _order(self, stream: str, running: Running, order: Callable[[int], Order]) -> None:
        running.number += 1
        self._workers.order(stream, order(running.number))
