"""The loop with real threads and a real gate; faults are injected by the source and the detector.

Every frame carries a secret: a fine pattern where the object is. A frame that leaves shows it or
does not; nothing else is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from edge_agent.boxes import Detections
from edge_agent.counts import Counts
from edge_agent.errors import DetectError, SinkError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity
from edge_agent.options import Options
from edge_agent.outlet import Outlet
from edge_agent.pipeline import Pipeline
from edge_agent.redact.gate import Gate
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.track.tracker import Tracker, TrackSettings
from tests.edge_agent.builders import detections
from tests.edge_agent.fakes import Collector, ScriptedDetector, ScriptedSource

WIDTH, HEIGHT, FPS = 320, 180, 25
BOX = (120, 70, 200, 110)
SECRET_LUMA = (250, 5)
STRONG = (0.4, 0.2, 0.2)

Answer = Callable[[Frame], Detections]


def secret_frame(index: int, *, shown: bool = True) -> Frame:
    """A textured frame; the object's place holds a checkerboard of two tones found nowhere else."""
    rng = np.random.default_rng(3)
    y = rng.integers(60, 180, (HEIGHT, WIDTH), np.uint8)
    if shown:
        x1, y1, x2, y2 = BOX
        y[y1:y2:2, x1:x2], y[y1 + 1 : y2 : 2, x1:x2] = SECRET_LUMA
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return Frame(y, chroma, chroma.copy(), index, Fraction(1, FPS), index, 0)


def shows_secret(frame: ProtectedFrame) -> bool:
    return bool(((frame.y == SECRET_LUMA[0]) | (frame.y == SECRET_LUMA[1])).any())


def finds_it(_: Frame) -> Detections:
    return detections(BOX)


class Run:
    """One pipeline over `count` secret frames."""

    def __init__(
        self,
        answer: Answer = finds_it,
        *,
        live: bool = False,
        count: int = 75,
        items: list[Any] | None = None,
        collector: Collector | None = None,
        build: Callable[[], ScriptedDetector] | None = None,
        tracker: Tracker | None = None,
        **options: Any,
    ) -> None:
        self.collector = collector or Collector()
        self.outlet = Outlet(self.collector, live=live)
        self.source = ScriptedSource(
            items or [secret_frame(i) for i in range(count)],
            width=WIDTH, height=HEIGHT, fps=FPS, live=live,
        )  # fmt: skip
        self.gate = Gate(Mosaic(), seed=1)
        self.pipeline = Pipeline(
            self.source,
            build or (lambda: ScriptedDetector(answer)),
            tracker or Tracker(TrackSettings(strong=STRONG)),
            self.gate,
            self.outlet,
            Options(live=live, **options),
        )

    def finish(self) -> Counts:
        counts = self.pipeline.run()
        self.outlet.close()
        return counts

    @property
    def frames(self) -> list[ProtectedFrame]:
        return self.collector.frames

    def assert_nothing_leaked(self) -> None:
        assert [f.index for f in self.frames if shows_secret(f)] == []
        assert self.gate.counts.unverified_sent == 0


def test_the_secret_shows_when_nothing_hides_it() -> None:
    """The other tests rest on this: an object that no look reports is visible in what leaves."""
    run = Run(lambda _: Detections.empty())
    run.finish()
    assert all(shows_secret(f) for f in run.frames)


def test_a_file_comes_out_whole_in_order_and_protected() -> None:
    run = Run()
    counts = run.finish()
    assert [f.index for f in run.frames] == list(range(75))
    assert [f.pts for f in run.frames] == list(range(75))
    assert {f.state for f in run.frames} == {State.PROTECTED}
    assert counts.objects["license_plate"] == 1
    assert counts.veiled == 0
    run.assert_nothing_leaked()


def test_a_detection_protects_the_frames_before_it() -> None:
    """The object is there from frame 30 on, the detector sees it from frame 40 on: 0.4 s later."""
    items = [secret_frame(i, shown=i >= 30) for i in range(75)]
    run = Run(lambda f: detections(BOX) if f.index >= 40 else Detections.empty(), items=items)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.rescued >= 7


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("look_ahead", [0.0, 0.2, 2.0])
def test_any_look_ahead_protects_without_veils(look_ahead: float, live: bool) -> None:
    run = Run(live=live, count=40, look_ahead=look_ahead)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.protected >= 38
    assert len(run.frames) == 40


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("error", [DetectError("no tracer"), RuntimeError("boom")])
def test_a_detector_that_starts_to_fail_veils_from_there_on(error: Exception, live: bool) -> None:
    def answer(frame: Frame) -> Detections:
        if frame.index >= 30:
            raise error
        return detections(BOX)

    run = Run(answer, live=live)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert {f.state for f in run.frames if f.index > 32} == {State.DEGRADED}
    assert {f.state for f in run.frames if 0 < f.index < 24} == {State.PROTECTED}
    assert counts.looks_failed > 0


def test_a_detector_that_never_worked_lets_nothing_through() -> None:
    def build() -> ScriptedDetector:
        raise OSError("model file is gone")

    run = Run(build=build)
    run.finish()
    run.assert_nothing_leaked()
    assert {f.state for f in run.frames} == {State.DEGRADED}


def test_a_live_stream_veils_while_the_detector_hangs_and_goes_on() -> None:
    hang = threading.Event()

    def answer(frame: Frame) -> Detections:
        if frame.index >= 20:
            hang.wait(1.5)
        return detections(BOX)

    run = Run(answer, live=True, count=80)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.veiled > 20
    assert counts.looks_late > 0


def test_nan_boxes_hide_the_whole_frame() -> None:
    run = Run(lambda _: detections((float("nan"), 0, 10, 10)))
    run.finish()
    run.assert_nothing_leaked()


def test_a_slow_detector_veils_rather_than_guesses() -> None:
    def answer(_: Frame) -> Detections:
        time.sleep(0.35)
        return detections(BOX)

    run = Run(answer, live=True, count=60)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.veiled > 30
    assert counts.veil_reasons["looks too far apart"] > 0


def test_panic_drops_what_is_held_and_shows_nothing_until_release() -> None:
    """Pressed when frame 30 leaves, which is when 15 more wait; released ten slates later."""

    def press(frame: ProtectedFrame, _: bool) -> None:
        if frame.index == 30:
            run.gate.panic()
        elif frame.state is State.HELD:
            held.append(frame.index)
            if len(held) == 10:
                run.gate.release()

    held: list[int] = []
    run = Run(count=100, observers=(press,))
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.discarded_by_panic >= 10
    assert run.collector.discards == 1
    assert counts.veil_reasons["panic"] == len(held) == 10
    assert {f.state for f in run.frames if f.index > max(held)} == {State.PROTECTED}
    assert counts.frames_in == 100


def test_a_panic_that_is_over_at_once_drops_what_is_held_all_the_same() -> None:
    def press(frame: ProtectedFrame, _: bool) -> None:
        if frame.index == 30:
            run.gate.panic()
            run.gate.release()

    run = Run(count=100, observers=(press,))
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.discarded_by_panic >= 10
    assert run.collector.discards == 1


def test_sound_waits_for_its_picture_and_keeps_its_time() -> None:
    def items() -> Iterator[Frame | AudioPacket]:
        for i in range(50):
            yield AudioPacket(bytes([i]), i * 40, i * 40, 40, Fraction(1, 1000))
            yield secret_frame(i)

    order: list[int] = []
    collector = Collector(lambda f: order.append(f.index))
    run = Run(items=list(items()), collector=collector)
    run.finish()
    assert [p.pts for p in collector.sound] == [i * 40 for i in range(50)]
    assert order == list(range(50))


def test_a_jump_in_time_decides_what_was_held_and_starts_anew() -> None:
    items: list[Any] = [secret_frame(i) for i in range(30)]
    items.append(Discontinuity("time", WIDTH, HEIGHT))
    items += [replace(secret_frame(i), pts=i + 500) for i in range(30, 60)]
    run = Run(items=items)
    run.finish()
    run.assert_nothing_leaked()
    assert {f.state for f in run.frames} == {State.PROTECTED}
    assert len(run.frames) == 60


def test_a_new_size_in_mid_stream_is_protected_too() -> None:
    big = (WIDTH * 2, HEIGHT * 2)

    def enlarged(index: int) -> Frame:
        frame = secret_frame(index)
        y, u, v = (np.kron(p, np.ones((2, 2), np.uint8)) for p in (frame.y, frame.u, frame.v))
        return replace(frame, y=y, u=u, v=v)

    def answer(frame: Frame) -> Detections:
        scale = frame.width / WIDTH
        return detections(tuple(side * scale for side in BOX))  # type: ignore[arg-type]

    items: list[Any] = [secret_frame(i) for i in range(30)]
    items += [Discontinuity("size", *big), *[enlarged(i) for i in range(30, 60)]]
    run = Run(answer, items=items)
    run.finish()
    run.assert_nothing_leaked()
    assert {(f.width, f.height) for f in run.frames} == {(WIDTH, HEIGHT), big}


def test_a_lost_live_source_gets_a_slate_and_then_an_end() -> None:
    def items() -> Iterator[Frame]:
        yield from (secret_frame(i) for i in range(10))
        time.sleep(3.0)

    run = Run(items=items(), live=True, slate_seconds=1.5)  # type: ignore[arg-type]
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.slates >= 3
    assert [f.pts for f in run.frames] == sorted({f.pts for f in run.frames})


def test_a_failing_target_ends_a_file_with_its_error() -> None:
    def full(frame: ProtectedFrame) -> None:
        if frame.index == 20:
            raise SinkError("disk full")

    run = Run(collector=Collector(full))
    with pytest.raises(SinkError, match="disk full"):
        run.finish()
    run.outlet.abort()
    assert run.collector.ended == "aborted"


def test_a_stalled_target_costs_a_live_stream_frames_and_nothing_else() -> None:
    run = Run(live=True, count=75, collector=Collector(lambda _: time.sleep(0.1)))
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.dropped_out > 10


def test_a_flood_is_bounded() -> None:
    """A live source that sends everything at once: what does not fit is dropped and counted."""
    items = [replace(secret_frame(0), pts=i, index=i) for i in range(3000)]
    source = ScriptedSource(items, width=WIDTH, height=HEIGHT, fps=FPS, live=False)
    run = Run(live=True, items=items[:1])
    run.finish()
    collector = Collector()
    pipeline = Pipeline(
        source, lambda: ScriptedDetector(finds_it),
        Tracker(TrackSettings(strong=STRONG)),
        Gate(Mosaic(), seed=1), Outlet(collector, live=True), Options(live=True),
    )  # fmt: skip
    counts = pipeline.run()
    assert counts.dropped_in > 2000
    assert not any(shows_secret(f) for f in collector.frames)


@pytest.mark.parametrize("method", ["see", "observe", "boxes_at"])
@pytest.mark.parametrize("live", [False, True])
def test_a_failing_tracker_veils_what_is_held_and_recovers(
    method: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(TrackSettings(strong=STRONG))
    works = getattr(tracker, method)
    calls = []

    def fails_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 8:
            raise IndexError("out of bounds")
        return works(*arguments)

    monkeypatch.setattr(tracker, method, fails_once)
    run = Run(tracker=tracker, live=live, count=60)
    counts = run.finish()
    run.assert_nothing_leaked()
    assert counts.tracking_failures == 1
    assert counts.veil_reasons["tracking failed"] > 0
    assert run.frames[-1].state is State.PROTECTED
