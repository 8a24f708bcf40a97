from __future__ import annotations

import threading

import pytest

from edge_agent.errors import SinkError
from edge_agent.outlet import LONGEST_QUEUE, Outlet
from edge_agent.redact.protected import ProtectedFrame
from tests.edge_agent.builders import make_frame
from tests.edge_agent.fakes import Collector
from tests.edge_agent.media_tools import protect


def frames(count: int) -> list[ProtectedFrame]:
    return [protect(make_frame(i)) for i in range(count)]


def test_a_slow_live_target_loses_the_oldest_frames_and_keeps_the_newest() -> None:
    go = threading.Event()
    collector = Collector(lambda _: go.wait(10))
    outlet = Outlet(collector, live=True)
    for frame in frames(LONGEST_QUEUE + 11):
        outlet.video(frame)
    go.set()
    outlet.close()
    kept = [frame.index for frame in collector.frames]
    assert outlet.dropped >= 10
    assert kept[-LONGEST_QUEUE:] == list(range(11, LONGEST_QUEUE + 11))
    assert len(kept) + outlet.dropped == LONGEST_QUEUE + 11


@pytest.mark.parametrize("live", [False, True])
def test_patience_or_a_file_loses_nothing(live: bool) -> None:
    collector = Collector()
    outlet = Outlet(collector, live=live)
    for frame in frames(60):
        outlet.video(frame, patient=live)
    outlet.close()
    assert [frame.index for frame in collector.frames] == list(range(60))
    assert outlet.dropped == 0


def test_what_is_discarded_never_reaches_the_target() -> None:
    started, go = threading.Event(), threading.Event()

    def stall(_: ProtectedFrame) -> None:
        started.set()
        go.wait(10)

    collector = Collector(stall)
    outlet = Outlet(collector, live=True)
    outlet.video(frames(1)[0])
    assert started.wait(10)
    for frame in frames(6)[1:]:
        outlet.video(frame)
    outlet.discard()
    go.set()
    outlet.close()
    assert [frame.index for frame in collector.frames] == [0]
    assert (collector.discards, collector.ended) == (1, "closed")


def test_an_error_of_the_target_reaches_the_caller_even_while_it_waits() -> None:
    def full(_: ProtectedFrame) -> None:
        raise SinkError("disk full")

    outlet = Outlet(Collector(full), live=False)

    def send_many() -> None:
        for frame in frames(LONGEST_QUEUE * 3):
            outlet.video(frame)

    with pytest.raises(SinkError, match="disk full"):
        send_many()
    outlet.abort()
