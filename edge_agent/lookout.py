"""When to look, and at what: whole pictures in step, parts of them with what time is left."""

from __future__ import annotations

from edge_agent.detectors import Detectors
from edge_agent.frame import Frame
from edge_agent.ladder import Ladder
from edge_agent.looker import Look, Request
from edge_agent.options import Options
from edge_agent.pace import Pace
from edge_agent.second_looks import SecondLooks


class Lookout:
    """Asks the detectors for looks at the newest frame. `pending` looks are not answered yet."""

    def __init__(self, detectors: Detectors, pace: Pace, options: Options) -> None:
        self._detectors = detectors
        self._pace = pace
        self._options = options
        self._ladder = Ladder(pace.period_ns)
        self._second_looks = SecondLooks(options.second_looks_per_second)
        self._asked_ns: int | None = None
        self.pending = 0

    def use(self, options: Options) -> None:
        """Look more or less often from now on."""
        self._options = options
        self._pace.period_ns = self._ladder.period_ns = int(1e9 / options.looks_per_second)
        self._second_looks.per_second = options.second_looks_per_second

    def ask(self, newest: Frame, *, at_once: bool) -> None:
        """Ask for a look at the newest frame when it is time for one, or `at_once`."""
        since = newest.time_ns - self._asked_ns if self._asked_ns is not None else 1 << 62
        spare = not self._options.live or not self._ladder.cpu_is_short
        if self._pace.wants_look(since, self.pending) or (since > 0 and at_once):
            scale = self._ladder.scale if self._options.live else 1.0
            self._ask_whole(Request(newest, input_scale=scale))
            self._detectors.ask_on_trial(Request(newest, input_scale=scale), spare=spare)
        elif not self._options.live or not self.pending:
            region = self._second_looks.due(
                newest.width, newest.height, newest.time_ns, spare=spare
            )
            if region is not None:
                self._ask(Request(newest, region))

    def ask_last(self, newest: Frame) -> None:
        """Ask for a look that decides all frames up to this one, if that has not been done."""
        if newest.time_ns != self._asked_ns:
            self._ask_whole(Request(newest))

    def answered(self, look: Look) -> None:
        """Take note of an answer, failed or not."""
        self.pending -= 1
        if look.request.region is None:
            self._ladder.note(look.seconds, look.cpu_seconds)

    def forget(self) -> None:
        """The next frame comes after a break: it is looked at whenever it comes."""
        self._asked_ns = None

    def _ask_whole(self, request: Request) -> None:
        self._asked_ns = request.frame.time_ns
        self._ask(request)

    def _ask(self, request: Request) -> None:
        self.pending += 1
        self._detectors.ask(request)
