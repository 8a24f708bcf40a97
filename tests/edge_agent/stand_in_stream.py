"""What the local server sees of a pipeline: real counts and a real gate, without the threads."""

from __future__ import annotations

from edge_agent.counts import Counts
from edge_agent.live_state import LiveState
from edge_agent.media.sink import SinkState
from edge_agent.preview import PreviewFeed
from tests.edge_agent.shown import make_gate


class StandInStream:
    def __init__(self) -> None:
        self.counts = Counts()
        self.gate = make_gate()
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class Clock:
    """Monotonic nanoseconds that move only when told."""

    def __init__(self) -> None:
        self.ns = 10_000_000_000

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


SINKS = (
    SinkState("rtmp://live.example/app/***", True, 3, 2, 9000, None),
    SinkState("rtmp://live.example/app/***", False, 0, 0, 0, "the server wants a login"),
)


def live_state(clock: Clock | None = None) -> LiveState:
    clock = clock or Clock()
    return LiveState(StandInStream(), PreviewFeed(clock), lambda: SINKS, clock)
