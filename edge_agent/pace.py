"""When to look and when to let go: a file waits for its decisions, a live stream cannot."""

from __future__ import annotations

from typing import Protocol

from edge_agent.frame import Frame
from edge_agent.lookahead import LookAhead

SHORTEST_WAIT_NS = 300_000_000  # a look needs time, even when nothing is to be looked ahead at
CATCH_UP = 0.2  # how much faster than they come frames may leave


class Pace(Protocol):
    """The two clocks of the pipeline. Times are nanoseconds; `now_ns` is monotonic."""

    live: bool
    period_ns: int

    def wants_look(self, since_last_ns: int, pending: int) -> bool:
        """Whether the newest frame should be looked at, `since_last_ns` after the last one."""

    def due(self, ahead: LookAhead, now_ns: int, pending: int, *, full: bool) -> bool:
        """Whether the oldest held frame must leave now, decided or not."""

    def wait_seconds(self, ahead: LookAhead, now_ns: int) -> float:
        """How long the loop may sleep when nothing arrives."""


class FilePace:
    """Recorded video: looks at fixed steps of stream time; a frame waits until all are in."""

    live = False

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns

    def wants_look(self, since_last_ns: int, pending: int) -> bool:  # noqa: ARG002
        return since_last_ns >= self.period_ns

    def due(self, ahead: LookAhead, now_ns: int, pending: int, *, full: bool) -> bool:  # noqa: ARG002
        oldest = ahead.oldest
        if oldest is None or not (full or ahead.horizon_reached(oldest)):
            return False
        return pending == 0 or ahead.verdict(oldest).fresh

    def wait_seconds(self, ahead: LookAhead, now_ns: int) -> float:  # noqa: ARG002
        return 0.5


class LivePace:
    """Live video: a look whenever the detector is free; a frame leaves when its time is up."""

    live = True

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self._wait_ns = self._now_ns = 0

    def wants_look(self, since_last_ns: int, pending: int) -> bool:
        return pending == 0 and since_last_ns >= self.period_ns

    def due(self, ahead: LookAhead, now_ns: int, pending: int, *, full: bool) -> bool:  # noqa: ARG002
        self._now(ahead, now_ns)
        return ahead.oldest is not None and now_ns >= self._deadline_ns(ahead.oldest)

    def _now(self, ahead: LookAhead, now_ns: int) -> None:
        """Bring the wait up to date. A longer window holds at once; a shorter one is approached
        slowly: frames that all leave together would jam what comes after."""
        shorter_ns = self._wait_ns - int(CATCH_UP * (now_ns - self._now_ns))
        self._wait_ns = max(ahead.window_ns, SHORTEST_WAIT_NS, shorter_ns)
        self._now_ns = now_ns

    def wait_seconds(self, ahead: LookAhead, now_ns: int) -> float:
        oldest = ahead.oldest
        if oldest is None:
            return 0.1
        return min(max((self._deadline_ns(oldest) - now_ns) / 1e9, 0.0), 0.1)

    def _deadline_ns(self, frame: Frame) -> int:
        return frame.captured_ns + self._wait_ns
