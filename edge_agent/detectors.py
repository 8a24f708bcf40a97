"""The detector that a stream rests on and, for a while, a second one on trial beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.detect.detector import Detector
from edge_agent.looker import Look, Looker, Request
from edge_agent.trial import Trial, TrialFigures

Build = Callable[[], Detector]


@dataclass(frozen=True, slots=True, eq=False)
class TrialLook:
    """A look that the model on trial has taken. It may add, and decides nothing."""

    look: Look
    trial: Trial


class Detectors:
    """Asks both for looks and delivers their answers. Belongs to the pipeline's thread."""

    def __init__(self, build: Build, deliver: Callable[[Look | TrialLook], None]) -> None:
        self._deliver = deliver
        self._looker = Looker(build, deliver)
        self.trial: Trial | None = None
        self.figures: TrialFigures | None = None  # of the newest trial

    @property
    def restarts(self) -> int:
        """How often the running detector was replaced because it hung."""
        return self._looker.restarts

    def ask(self, request: Request) -> None:
        self._looker.ask(request)

    def ask_on_trial(self, request: Request, *, spare: bool) -> None:
        """Have the model on trial, if there is one, look at the same; `spare`: the CPU is free."""
        if self.trial is not None:
            self.trial.ask(request, spare=spare)

    def use(self, build: Build) -> None:
        """Look with another detector from the next look on."""
        self._looker.use(build)

    def try_out(self, build: Build, seconds: float) -> None:
        """Begin a trial; one that is under way ends."""
        if self.trial is not None:
            self.trial.end()
        trial = Trial(build, seconds, lambda look: self._deliver(TrialLook(look, trial)))
        self.trial, self.figures = trial, trial.figures

    def check(self) -> None:
        """Replace a detector that hangs, and end a trial that is over."""
        self._looker.check()
        if self.trial is not None:
            running = self.trial.check()
            self.figures = self.trial.figures
            self.trial = self.trial if running else None

    def close(self) -> None:
        self._looker.close()
        if self.trial is not None:
            self.trial.close()
