"""The tracker's rules one by one, on still grey or textured frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.boxes import Detections
from edge_agent.track.tracker import TrackBoxes, Tracker, TrackSettings
from tests.edge_agent.builders import MILLISECOND, detections, make_frame
from tests.edge_agent.clips import Clip

FPS = 25
STEP = 1000 // FPS * MILLISECOND
BOX = (100.0, 80.0, 160.0, 110.0)


def tracker_with(frames: int, config: TrackSettings | None = None) -> Tracker:
    tracker = Tracker(config or TrackSettings())
    for index in range(frames):
        tracker.see(make_frame(index, fps=FPS, width=640, height=360))
    return tracker


def weak(found: Detections, score: float = 0.3) -> Detections:
    return replace(found, score=np.full(len(found), score, np.float32))


def covers(boxes: TrackBoxes, box: tuple[float, float, float, float]) -> bool:
    low, high = np.array(box[:2]), np.array(box[2:])
    inside = (boxes.xyxy[:, :2] <= low).all(axis=1) & (boxes.xyxy[:, 2:] >= high).all(axis=1)
    return bool(inside.any())


def test_nothing_found_is_nothing_to_hide() -> None:
    tracker = tracker_with(10)
    tracker.observe(0, Detections.empty(), whole=True)
    assert len(tracker.boxes_at(0)) == 0


def test_a_detection_counts_on_frames_back_to_the_look_before() -> None:
    tracker = tracker_with(12)
    tracker.observe(2 * STEP, Detections.empty(), whole=True)
    tracker.observe(6 * STEP, detections(BOX), whole=True)
    assert all(covers(tracker.boxes_at(index * STEP), BOX) for index in range(2, 7))


def test_between_two_looks_a_box_moves_along() -> None:
    tracker = tracker_with(12)
    tracker.observe(0, detections((100, 80, 160, 110)), whole=True)
    tracker.observe(4 * STEP, detections((120, 80, 180, 110)), whole=True)
    boxes = tracker.boxes_at(2 * STEP)
    assert covers(boxes, (110, 80, 170, 110))
    assert boxes.xyxy[:, 0].min() > 102
    assert len(np.unique(boxes.track)) == 1


def test_weak_detections_alone_hide_nothing() -> None:
    tracker = tracker_with(12)
    for index in (0, 3, 6):
        tracker.observe(index * STEP, weak(detections(BOX)), whole=True)
    assert len(tracker.boxes_at(3 * STEP)) == 0


@pytest.mark.parametrize("strong_at", [0, 6])
def test_a_weak_detection_counts_near_a_strong_one_before_or_after(strong_at: int) -> None:
    tracker = tracker_with(12)
    for index in (0, 3, 6):
        found = detections(BOX)
        tracker.observe(index * STEP, found if index == strong_at else weak(found), whole=True)
    boxes = tracker.boxes_at(3 * STEP)
    assert covers(boxes, BOX)
    assert bool(boxes.rescued.all()) == (strong_at == 6)


def test_a_weak_detection_far_from_the_strong_one_does_not_count() -> None:
    config = TrackSettings(window_ns=200 * MILLISECOND, hold_ns=100 * MILLISECOND)
    tracker = tracker_with(40, config)
    tracker.observe(0, detections(BOX), whole=True)
    for index in range(3, 36, 3):
        tracker.observe(index * STEP, weak(detections(BOX)), whole=True)
    assert len(tracker.boxes_at(30 * STEP)) == 0


def test_thresholds_are_by_class() -> None:
    tracker = tracker_with(4, TrackSettings(strong=(0.95, 0.5, 0.5)))
    tracker.observe(0, detections(BOX, label=0), whole=True)
    assert len(tracker.boxes_at(0)) == 0
    tracker.observe(STEP, detections((300, 200, 360, 240), label=1), whole=True)
    assert len(tracker.boxes_at(STEP)) == 1


def test_a_lost_object_stays_hidden_for_the_hold_and_then_no_more() -> None:
    tracker = tracker_with(60)
    for index in (0, 3):
        tracker.observe(index * STEP, detections(BOX), whole=True)
    for index in range(6, 50, 3):
        tracker.observe(index * STEP, Detections.empty(), whole=True)
    assert covers(tracker.boxes_at(6 * STEP), BOX)
    assert covers(tracker.boxes_at(20 * STEP), BOX)  # a flat patch cannot be seen to have gone
    assert len(tracker.boxes_at(26 * STEP)) == 0


def test_what_a_tile_look_does_not_report_is_not_lost() -> None:
    config = TrackSettings(hold_ns=0)
    tracker = tracker_with(20, config)
    tracker.observe(0, detections(BOX), whole=True)
    tracker.observe(3 * STEP, detections(BOX), whole=True)
    tracker.observe(6 * STEP, Detections.empty(), whole=False)
    assert covers(tracker.boxes_at(9 * STEP), BOX)
    tracker.observe(6 * STEP, Detections.empty(), whole=True)
    assert len(tracker.boxes_at(9 * STEP)) == 0


def test_a_tile_look_at_the_same_frame_widens_the_box() -> None:
    tracker = tracker_with(4)
    tracker.observe(0, detections((100, 80, 160, 110)), whole=True)
    tracker.observe(0, detections((110, 84, 175, 112)), whole=False)
    boxes = tracker.boxes_at(0)
    assert len(boxes) == 1
    assert covers(boxes, (100, 80, 175, 112))


def test_the_label_is_the_majority() -> None:
    tracker = tracker_with(12)
    for index, label in ((0, 2), (3, 1), (6, 2)):
        tracker.observe(index * STEP, detections(BOX, label=label), whole=True)
    boxes = tracker.boxes_at(3 * STEP)
    assert boxes.label.tolist() == [2]


def test_a_box_that_is_no_box_hides_everything() -> None:
    tracker = tracker_with(4)
    tracker.observe(0, detections((np.nan, 80, 160, 110)), whole=True)
    assert covers(tracker.boxes_at(0), (0, 0, 640, 360))


def test_after_a_reset_nothing_is_hidden_and_ids_go_on() -> None:
    tracker = tracker_with(4)
    tracker.observe(0, detections(BOX), whole=True)
    first = tracker.boxes_at(0).track.tolist()
    tracker.reset()
    tracker.see(make_frame(0, fps=FPS, width=320, height=240))
    assert len(tracker.boxes_at(0)) == 0
    tracker.observe(0, detections((10, 10, 60, 50)), whole=True)
    second = tracker.boxes_at(0).track.tolist()
    assert len(first) == len(second) == 1
    assert first != second


def test_memory_does_not_grow_with_the_stream() -> None:
    tracker = Tracker(TrackSettings())
    for index in range(400):
        tracker.see(make_frame(index, fps=FPS, width=640, height=360))
        if index % 3 == 0:
            tracker.observe(index * STEP, detections(BOX), whole=True)
        tracker.forget_before(index * STEP)
    assert covers(tracker.boxes_at(399 * STEP), BOX)
    assert len(tracker._reel.stills) < 60
    assert len(tracker._table) < 30
    assert len(tracker._looks) < 30


corner = st.floats(-50, 600)
side = st.floats(2, 300)
box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@settings(max_examples=60, deadline=None)
@given(looks=st.lists(st.lists(box, max_size=6), min_size=1, max_size=5))
def test_a_strong_detection_is_covered_on_its_frame_whatever_else_is_found(
    looks: list[list[tuple[float, float, float, float]]],
) -> None:
    tracker = tracker_with(16)
    for number, boxes in enumerate(looks):
        tracker.observe(3 * number * STEP, detections(*boxes), whole=True)
    for number, boxes in enumerate(looks):
        hidden = tracker.boxes_at(3 * number * STEP)
        for one in boxes:
            shown = np.clip(np.array(one), 0, [640, 360, 640, 360])
            if (shown[2:] - shown[:2]).min() > 0:
                nearly = (*(shown[:2] + 0.01), *(shown[2:] - 0.01))
                assert covers(hidden, nearly)


def test_an_object_missed_by_earlier_looks_is_followed_back_by_its_pixels() -> None:
    """It moves, was seen once only, and two looks before that had overlooked it."""
    clip = Clip("leaving_edge", fps=FPS, width=640, height=360)
    tracker = Tracker(TrackSettings())
    truth = {}
    for index in range(14):
        frame, truths = clip.picture(index)
        tracker.see(frame)
        truth[index] = tuple(truths[0].xyxy)
    for index in (0, 3, 6):
        tracker.observe(index * STEP, Detections.empty(), whole=True)
    tracker.observe(9 * STEP, detections(truth[9]), whole=True)
    for index in range(10):
        assert covers(grown(tracker.boxes_at(index * STEP), 4), truth[index])


def grown(boxes: TrackBoxes, margin: float) -> TrackBoxes:
    sides = np.array([-margin, -margin, margin, margin], np.float32)
    return replace(boxes, xyxy=boxes.xyxy + sides)


def test_looks_judged_anew_replace_the_old_ones_and_tracks_keep_their_ids() -> None:
    """A second thing that was too weak before is there now; the first is the same one still."""
    other = (300.0, 200.0, 380.0, 240.0)
    tracker = tracker_with(12)
    looks = [(index * STEP, detections(BOX), weak(detections(BOX, other))) for index in (0, 4, 8)]
    for time_ns, before, _ in looks:
        tracker.observe(time_ns, before, whole=True)
    (first,) = tracker.boxes_at(4 * STEP).track.tolist()
    tracker.observe_anew(
        (time_ns, after, True, np.ones(2, np.bool_)) for time_ns, _, after in looks
    )
    boxes = tracker.boxes_at(4 * STEP)
    assert covers(boxes, BOX)
    assert covers(boxes, other)
    assert sorted(boxes.track.tolist())[0] == first
    assert len(set(boxes.track.tolist())) == 2
    tracker.observe_anew(
        (time_ns, before, True, np.zeros(1, np.bool_)) for time_ns, before, _ in looks
    )
    assert len(tracker.boxes_at(4 * STEP)) == 0


@settings(max_examples=60, deadline=None)
@given(looks=st.lists(st.lists(box, max_size=4), min_size=1, max_size=5))
def test_frames_worked_out_together_are_hidden_as_each_by_itself(
    looks: list[list[tuple[float, float, float, float]]],
) -> None:
    tracker = tracker_with(16)
    for number, boxes in enumerate(looks):
        tracker.observe(3 * number * STEP, detections(*boxes), whole=True)
    for index in range(15):
        together = tracker.boxes_at(index * STEP)
        tracker.use(tracker.settings)  # forgets what was worked out
        alone = tracker.boxes_at(index * STEP)
        tracker.boxes_at(max(index - 1, 0) * STEP)
        np.testing.assert_array_equal(together.xyxy, alone.xyxy)
        np.testing.assert_array_equal(together.track, alone.track)
        np.testing.assert_array_equal(together.rescued, alone.rescued)


def test_a_later_look_changes_the_answer_for_a_frame_already_worked_out() -> None:
    other = (300.0, 200.0, 380.0, 240.0)
    tracker = tracker_with(12)
    tracker.observe(0, detections(BOX), whole=True)
    assert not covers(tracker.boxes_at(2 * STEP), other)
    assert not covers(tracker.boxes_at(3 * STEP), other)
    tracker.observe(4 * STEP, detections(BOX, other), whole=True)
    assert covers(tracker.boxes_at(3 * STEP), other)


def test_a_look_that_finds_nothing_changes_the_answer_too() -> None:
    tracker = tracker_with(30)
    tracker.observe(0, detections(BOX), whole=True)
    assert covers(tracker.boxes_at(25 * STEP), BOX)
    tracker.observe(22 * STEP, Detections.empty(), whole=True)
    assert len(tracker.boxes_at(25 * STEP)) == 0
