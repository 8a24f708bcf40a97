"""Rules and detectors change while frames wait: all that leaves afterwards is as the new ones say.

The frames are those of a file, so that what happens when does not depend on the machine: at most 30
are held, and every look is taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from edge_agent.boxes import Detections
from edge_agent.detect.evidence import NEVER, Evidence, Witnessed
from edge_agent.errors import DetectError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.options import Options
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import ProtectedFrame, State
from tests.edge_agent.builders import detections
from tests.edge_agent.fakes import ScriptedDetector
from tests.edge_agent.test_pipeline import BOX, Run, finds_it, secret_frame, shows_secret

AT, COUNT = 40, 120
EVERYWHERE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def unsure(score: float) -> Callable[[Frame], Detections]:
    """Finds the secret with this score."""
    found = detections(BOX)
    return lambda _: replace(found, score=np.full(1, score, np.float32))


def witness(score: float, own: float = 0.5) -> Callable[[Frame], Detections]:
    """A detector that reports what its card's thresholds say, and the evidence as it is."""

    def look(_: Frame) -> Detections:
        logit = float(np.log(score / (1 - score)))
        logits = np.array([[logit, -9.0, -9.0]], np.float32)
        evidence = Evidence(
            np.array([BOX], np.float32), logits, np.full(3, own, np.float32), nms_iou=0.5
        )
        found = evidence.under(evidence.own)
        return Witnessed(found.xyxy, found.score, found.label, evidence)

    return look


class Change(Run):
    """Does something when frame `AT` leaves, and notes after which frame it was in force."""

    def __init__(
        self, act: Callable[[Run, Callable[[], None]], None], answer: Any = finds_it, **options: Any
    ) -> None:
        self.in_force_after = COUNT
        self._act = act
        super().__init__(answer, count=COUNT, observers=(self._see,), **options)

    def _see(self, frame: ProtectedFrame, _: bool) -> None:
        if frame.index == AT:
            self._act(self, self._done)

    def _done(self) -> None:
        self.in_force_after = self.pipeline.gate.counts.by_state[State.PROTECTED] - 1

    def shown(self) -> tuple[list[bool], list[bool]]:
        """Which frames showed the secret, before and after the change."""
        self.finish()
        assert self.in_force_after < AT + 10, "the change took hold while frames waited"
        assert [frame.pts for frame in self.frames] == list(range(COUNT)), "no gap"
        assert {frame.state for frame in self.frames} == {State.PROTECTED}, "no veil"
        shows = [shows_secret(frame) for frame in self.frames]
        return shows[: self.in_force_after + 1], shows[self.in_force_after + 1 :]


def rules(**options: Any) -> Callable[[Run, Callable[[], None]], None]:
    return lambda run, done: run.pipeline.apply(Options(live=False, **options), None, done)


@pytest.mark.parametrize(
    "answer", [unsure(0.3), witness(0.3), witness(0.06)], ids=["told", "weak", "unreported"]
)
def test_a_lower_threshold_holds_for_every_frame_that_still_waits(answer: Any) -> None:
    before, after = Change(rules(wanted=(0.05, None, None)), answer).shown()
    assert all(before)
    assert not any(after)


@pytest.mark.parametrize("answer", [unsure(0.3), witness(0.3)])
def test_a_higher_threshold_shows_what_the_lower_one_hid(answer: Any) -> None:
    low = (0.25, None, None)
    before, after = Change(rules(wanted=(0.9, None, None)), answer, wanted=low).shown()
    assert not any(before)
    assert all(after)


@pytest.mark.parametrize("answer", [finds_it, witness(0.9)])
def test_a_class_is_switched_on_for_every_frame_that_still_waits(answer: Any) -> None:
    off = (NEVER, None, None)
    before, after = Change(rules(), answer, wanted=off).shown()
    assert all(before)
    assert not any(after)


@pytest.mark.parametrize("answer", [finds_it, witness(0.9)])
def test_a_class_is_switched_off(answer: Any) -> None:
    before, after = Change(rules(wanted=(NEVER, None, None)), answer).shown()
    assert not any(before)
    assert all(after)


def test_zones_where_nothing_is_hidden_end_for_every_frame_that_still_waits() -> None:
    before, after = Change(rules(), ignore_zones=(EVERYWHERE,)).shown()
    assert all(before)
    assert not any(after)


def test_a_zone_that_is_always_hidden_holds_at_once() -> None:
    def act(run: Run, done: Callable[[], None]) -> None:
        run.pipeline.apply(Options(live=False), Mosaic(zones=(EVERYWHERE,)), done)

    before, after = Change(act, lambda _: Detections.empty()).shown()
    assert all(before)
    assert not any(after)


def test_a_larger_cover_holds_at_once() -> None:
    run = Change(rules(margin=0.5))
    run.shown()
    sizes = [int(frame.cover.xyxy[0, 2] - frame.cover.xyxy[0, 0]) for frame in run.frames]
    middle = run.in_force_after
    assert max(sizes[5 : middle + 1]) < 110
    assert min(sizes[middle + 1 : -5]) > 150


def test_an_object_is_the_same_one_after_a_change() -> None:
    run = Change(rules(wanted=(0.3, None, None)), witness(0.9))
    run.shown()
    assert run.pipeline.counts.objects["license_plate"] == 1


@pytest.mark.parametrize(("first", "then"), [(0.2, 1.2), (1.2, 0.2), (0.6, 0.0)])
def test_the_look_ahead_changes_without_a_gap_a_veil_or_a_leak(first: float, then: float) -> None:
    before, after = Change(rules(look_ahead=then), look_ahead=first).shown()
    assert not any(before + after)


@pytest.mark.parametrize(("first", "then"), [(0.0, 1.5), (1.5, 0.0)])
def test_the_look_ahead_of_a_live_stream_changes_and_no_frame_is_lost(
    first: float, then: float
) -> None:
    def change(frame: ProtectedFrame, _: bool) -> None:
        if frame.index == 10:
            run.pipeline.apply(Options(live=True, look_ahead=then))

    run = Run(live=True, count=70, look_ahead=first, observers=(change,))
    counts = run.finish()
    run.assert_nothing_leaked()
    assert len(run.frames) + counts.dropped_in == 70
    assert counts.dropped_out == 0
    begin = run.frames[0].pts - 3600 * run.frames[0].index
    assert [frame.pts for frame in run.frames] == [begin + 3600 * f.index for f in run.frames]


def test_a_longer_look_ahead_makes_live_frames_wait_at_once() -> None:
    def change(frame: ProtectedFrame, _: bool) -> None:
        waited.append((frame.captured_ns, time.monotonic_ns() - frame.captured_ns))
        if frame.index == 10:
            run.pipeline.apply(Options(live=True, look_ahead=1.5), None, now_in_force)

    def now_in_force() -> None:
        begun.append(len(waited))

    begun: list[int] = []
    waited: list[tuple[int, int]] = []
    run = Run(live=True, count=70, look_ahead=0.3, observers=(change,))
    run.finish()
    end = waited[-1][0] - 1_600_000_000  # what came later leaves early, with the stream's end
    held = [wait for captured, wait in waited[begun[0] :] if captured < end]
    assert held
    assert min(held) >= 1_500_000_000


@pytest.mark.parametrize(("first", "then"), [(0.0, 1.0), (1.0, 0.0)])
def test_sound_stays_with_its_picture_when_the_look_ahead_changes(
    first: float, then: float
) -> None:
    def change(frame: ProtectedFrame, _: bool) -> None:
        if frame.index == 10:
            run.pipeline.apply(Options(live=True, look_ahead=then))

    items: list[Any] = []
    for i in range(60):
        items += [AudioPacket(b"", i * 40, i * 40, 40, Fraction(1, 1000)), secret_frame(i)]
    run = Run(items=items, live=True, look_ahead=first, observers=(change,))
    counts = run.finish()
    assert [packet.pts for packet in run.collector.sound] == [i * 40 for i in range(60)]
    assert all(frame.pts == frame.index * 3600 for frame in run.frames)
    assert counts.av_offset_seconds == 0


def test_another_detector_takes_over_between_two_frames() -> None:
    looks: list[str] = []

    def named(name: str) -> ScriptedDetector:
        def look(_: Frame) -> Detections:
            looks.append(name)
            return detections(BOX)

        return ScriptedDetector(look)

    def act(run: Run, done: Callable[[], None]) -> None:
        run.pipeline.use_detector(lambda: named("new"), done)

    before, after = Change(act, build=lambda: named("old")).shown()
    assert not any(before + after)
    assert looks == sorted(looks, reverse=True)
    assert set(looks) == {"old", "new"}


def raises(_: Frame) -> Detections:
    raise DetectError("the tracer was not found")


def broken(_: Frame) -> Detections:
    raise MemoryError


def hangs(_: Frame) -> Detections:
    threading.Event().wait(20)
    return Detections.empty()


def slow(_: Frame) -> Detections:
    time.sleep(0.7)
    return Detections.empty()


def blind(_: Frame) -> Detections:
    return Detections.empty()


@pytest.mark.parametrize("answer", [raises, broken, slow, hangs, blind])
def test_a_bad_model_on_trial_harms_nothing(answer: Callable[[Frame], Detections]) -> None:
    def act(run: Run, done: Callable[[], None]) -> None:
        run.pipeline.try_detector(lambda: ScriptedDetector(answer), 60.0, done)

    before, after = Change(act).shown()
    assert not any(before + after)


def live_trial(
    old: Callable[[Frame], Detections],
    new: Callable[[Frame], Detections],
    seconds: float = 0.8,
    count: int = 50,
) -> Run:
    """Live video with a trial from the third frame on."""

    def begin(frame: ProtectedFrame, _: bool) -> None:
        if frame.index == 2:
            run.pipeline.try_detector(lambda: ScriptedDetector(new), seconds)

    run = Run(old, live=True, count=count, observers=(begin,))
    run.finish()
    assert run.pipeline.trial is not None
    return run


def test_a_model_that_hangs_ends_its_trial() -> None:
    run = live_trial(finds_it, hangs, seconds=60.0, count=100)
    run.assert_nothing_leaked()
    figures = run.pipeline.trial
    assert figures is not None
    assert (figures.finished, figures.looks, figures.failed) == (True, 1, 1.0)


def test_a_model_that_fails_is_reported_as_such() -> None:
    run = live_trial(finds_it, raises)
    run.assert_nothing_leaked()
    figures = run.pipeline.trial
    assert figures is not None
    assert figures.finished
    assert (figures.failed, figures.disagreed) == (1.0, 0.0)


def test_a_blind_model_is_found_out_and_hides_nothing_less() -> None:
    run = live_trial(finds_it, blind)
    run.assert_nothing_leaked()
    figures = run.pipeline.trial
    assert figures is not None
    assert (figures.finished, figures.failed) == (True, 0.0)
    assert figures.disagreed > 0.5


def test_what_only_the_model_on_trial_sees_is_hidden_too() -> None:
    run = live_trial(blind, finds_it, seconds=60.0)
    figures = run.pipeline.trial
    assert figures is not None
    assert figures.disagreed > 0.5
    assert not shows_secret(run.frames[-10])
    assert shows_secret(run.frames[0]) or run.frames[0].state is not State.PROTECTED


def test_two_models_that_see_the_same_agree() -> None:
    figures = live_trial(finds_it, finds_it).pipeline.trial
    assert figures is not None
    assert figures.looks > 0
    assert (figures.failed, figures.disagreed, figures.rescued_new) == (0.0, 0.0, 0.0)


def test_the_secret_frames_are_what_these_tests_take_them_for() -> None:
    run = Run(blind, items=[secret_frame(i) for i in range(10)])
    run.finish()
    assert all(shows_secret(frame) for frame in run.frames)
