"""What model updates may ask of the running streams. Callable from their thread: each question is
answered in the agent's own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge_agent.fleet.events import Do, Post
from edge_agent.fleet.streams import Done, Streams
from edge_agent.worker.report import TrialReport

PATIENCE_S = 60.0

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Trial:
    stream: str
    card: str
    number: int
    outcome: Future[TrialReport | None]


class ModelHost:
    """`take` makes a card the one that all streams use, and tells when they do."""

    def __init__(self, post: Post, streams: Streams, take: Callable[[Path, Done], None]) -> None:
        self._post, self._streams, self._take = post, streams, take
        self._trial: _Trial | None = None

    def live_streams(self) -> int:
        """How many streams are live now."""
        return self._ask(lambda: len(self._streams.live()))

    def try_model(self, card: Path, seconds: float) -> TrialReport | None:
        """Let a live stream look with this model beside its own, and wait for the outcome.

        None: no stream is live (any more), so nothing was tried. A trial that its worker did not
        survive, or that never ends, counts as failed in all of its looks.
        """
        outcome: Future[TrialReport | None] = Future()
        self._ask(lambda: self._begin(card, seconds, outcome))
        try:
            return outcome.result(2 * seconds + PATIENCE_S)
        except TimeoutError:
            return failed_trial(str(card))

    def use_model(self, card: Path) -> bool:
        """Let all streams look with this model from now on; whether every one could."""
        outcome: Future[str | None] = Future()
        self._post(Do(lambda: self._take(card, outcome.set_result)))
        try:
            return outcome.result(PATIENCE_S) is None
        except TimeoutError:
            return False

    def heard(self, stream: str) -> None:
        """In the agent's thread: a worker has told something."""
        trial = self._trial
        if trial is None or trial.stream != stream:
            return
        running = self._streams.running.get(stream)
        if running is None or running.report is None:
            self._finish(None)
        elif trial.number in running.report.refused:
            self._finish(failed_trial(trial.card))
        elif (
            (told := running.report.trial) is not None
            and told.finished
            and told.card == trial.card
            and running.report.done >= trial.number
        ):
            self._finish(told)

    def followed(self) -> None:
        """In the agent's thread: streams may have ended."""
        if self._trial is not None and self._trial.stream not in self._streams.running:
            self._finish(None)

    def _begin(self, card: Path, seconds: float, outcome: Future[TrialReport | None]) -> None:
        live = self._streams.live()
        if not live:
            outcome.set_result(None)
            return
        stream = live[0]
        number = self._streams.try_model(stream, str(card), seconds)
        self._trial = _Trial(stream, str(card), number, outcome)

    def _finish(self, report: TrialReport | None) -> None:
        if self._trial is not None:
            trial, self._trial = self._trial, None
            trial.outcome.set_result(report)

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        answer: Future[_Answer] = Future()

        def work() -> None:
            try:
                answer.set_result(question())
            except Exception as problem:  # noqa: BLE001 - whoever asked gets it
                answer.set_exception(problem)

        self._post(Do(work))
        return answer.result(PATIENCE_S)


def failed_trial(card: str) -> TrialReport:
    """A trial of which nothing good can be said."""
    return TrialReport(
        card=card, finished=True, looks=0, failed=1.0, disagreed=0.0,
        rescued_old=0.0, rescued_new=0.0, seconds_old=0.0, seconds_new=0.0,
    )  # fmt: skip
