"""What the small copies of the frames tell: the camera's motion, cuts, and who continues whom."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.track.associate import match
from edge_agent.track.motion import Reel
from edge_agent.track.tracker import Tracker, TrackSettings
from tests.edge_agent.builders import MILLISECOND, detections, make_frame
from tests.edge_agent.clips import Clip, landscape

STEP = 40 * MILLISECOND
SIZE = (640, 360)


def reel_of(lumas: list[np.ndarray]) -> Reel:
    reel = Reel()
    for index, luma in enumerate(lumas):
        reel.add(index * STEP, luma)
    return reel


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -1), (24, 10), (-120, 0), (-38, 21)])
def test_the_cameras_step_is_found_to_a_few_pixels(dx: int, dy: int) -> None:
    wide = landscape(1280, 720, 3)
    lumas = [wide[60 - k * dy : 780 - k * dy, 1280 - k * dx : 2560 - k * dx] for k in (0, 1)]
    step = np.array(reel_of(lumas).step(1))
    assert np.abs(step - (dx, dy)).max() <= 3.0


def test_a_bold_object_that_crosses_the_picture_is_not_taken_for_the_camera() -> None:
    frames = [frame.y for frame, _ in Clip("fast_pass")]
    reel = reel_of(frames)
    steps = np.array([reel.step(number) for number in range(len(frames))])
    assert np.abs(steps).max() <= 3.0


def test_offsets_add_up_the_steps() -> None:
    wide = landscape(1280, 720, 4)
    reel = reel_of([wide[70:790, 1200 - 16 * k : 2480 - 16 * k] for k in range(6)])
    offsets = reel.offsets(np.array([5 * STEP, 0], np.int64))
    assert (offsets[0] - offsets[1]).tolist() == pytest.approx([80, 0], abs=5)


def test_shots_change_at_cuts_and_only_there() -> None:
    clip = Clip("cut", fps=25)
    reel = reel_of([frame.y for frame, _ in clip])
    shots = [reel.shot(index * STEP) for index in range(len(clip))]
    changes = [index for index in range(1, len(shots)) if shots[index] != shots[index - 1]]
    assert changes == [18, 33]  # the first frames at or after 0.7 s and 1.3 s


@pytest.mark.parametrize("name", ["shake", "pan", "fast_pass", "growing"])
def test_wild_motion_is_no_cut(name: str) -> None:
    reel = reel_of([frame.y for frame, _ in Clip(name)])
    assert len({still.shot for still in reel.stills}) == 1


@pytest.mark.parametrize(("width", "height"), [(64, 48), (322, 178), (360, 640), (1922, 1082)])
def test_any_size_of_frame_will_do(width: int, height: int) -> None:
    tracker = Tracker(TrackSettings())
    for index in range(4):
        tracker.see(make_frame(index, width=width, height=height))
    tracker.observe(2 * STEP, detections((8, 8, 40, 30)), whole=True)
    assert len(tracker.boxes_at(STEP)) == 1


def pairs(expected: list[tuple[float, ...]], found: list[tuple[float, ...]], **more: float) -> dict:
    count = len(expected)
    reach = np.full(count, more.get("reach", 60.0))
    a, b = match(
        np.array(expected, np.float64).reshape(-1, 4),
        reach,
        np.zeros(count),
        np.array(found, np.float64).reshape(-1, 4),
        SIZE,
        rivals=int(more.get("rivals", 1000)),
    )
    return dict(zip(a.tolist(), b.tolist(), strict=True))


def test_the_least_total_distance_wins() -> None:
    expected = [(100.0, 100, 140, 120), (150.0, 100, 190, 120)]
    assert pairs(expected, [(152.0, 101, 192, 121), (104.0, 100, 144, 120)]) == {0: 1, 1: 0}


def test_too_far_or_too_unlike_in_size_is_no_match() -> None:
    expected = [(100.0, 100, 140, 120)]
    assert pairs(expected, [(200.0, 100, 240, 120)]) == {}
    assert pairs(expected, [(60.0, 80, 240, 180)]) == {}


def test_a_box_cut_by_the_edge_matches_by_the_side_that_shows() -> None:
    assert pairs([(0.0, 100, 20, 140)], [(0.0, 101, 90, 141)], reach=30) == {0: 0}


def test_in_a_crowd_nobody_is_matched_by_chance() -> None:
    row = [(20.0 * k + 100, 100.0, 20.0 * k + 112, 110.0) for k in range(8)]
    moved = [(x1 + 9, y1, x2 + 9, y2) for x1, y1, x2, y2 in row]
    assert len(pairs(row, moved)) == 8
    assert pairs(row, moved, rivals=3, reach=100) == {}
