"""No pixel of an object may show, with looks at only a few frames: on rendered clips with truth."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from edge_agent.boxes import Detections
from edge_agent.frame import Frame
from edge_agent.redact.cover import cover_from
from edge_agent.track.tracker import TrackBoxes, Tracker, TrackSettings
from tests.edge_agent.clips import Clip, PerfectDetector, Truth, scenarios

LOOK_AHEAD_NS = 600_000_000
LATENCY_NS = 80_000_000
MARGIN = 0.08  # less than ships: the tracker has to hold without the room that is for the detector
SETTINGS = TrackSettings(window_ns=LOOK_AHEAD_NS)
SINGLE = sorted(set(scenarios()) - {"many"})

Shown = list[tuple[Frame, list[Truth], TrackBoxes]]


def run(clip: Clip, detector: PerfectDetector) -> Shown:
    """Frames as they leave a look-ahead of 0.6 s, with what the tracker knew by then."""
    tracker = Tracker(SETTINGS)
    held: deque[tuple[Frame, list[Truth]]] = deque()
    looks: deque[tuple[int, Detections]] = deque()
    shown: Shown = []

    def advance(now_ns: int) -> None:
        while looks and looks[0][0] + LATENCY_NS <= now_ns:
            tracker.observe(*looks.popleft(), whole=True)
        while held and held[0][0].time_ns + LOOK_AHEAD_NS <= now_ns:
            frame, truths = held.popleft()
            shown.append((frame, truths, tracker.boxes_at(frame.time_ns)))
            tracker.forget_before(frame.time_ns)

    for frame, truths in clip:
        tracker.see(frame)
        if detector.due(frame):
            looks.append((frame.time_ns, detector.look(truths)))
        held.append((frame, truths))
        advance(frame.time_ns)
    advance(2 * LOOK_AHEAD_NS + held[-1][0].time_ns)
    return shown


def masks(frame: Frame, boxes: TrackBoxes) -> np.ndarray:
    cover = cover_from(
        boxes.xyxy, boxes.track, boxes.label, boxes.score,
        width=frame.width, height=frame.height, margin=MARGIN,
    )  # fmt: skip
    mask = np.zeros((frame.height, frame.width), np.bool_)
    for x1, y1, x2, y2 in cover.xyxy:
        mask[y1:y2, x1:x2] = True
    return mask


def leaks(shown: Shown) -> list[tuple[int, int, int]]:
    """(thing, frame, pixels) wherever a pixel of an object is not covered."""
    found = []
    for frame, truths, boxes in shown:
        mask = masks(frame, boxes)
        for truth in truths:
            open_pixels = 0
            for part in truth.parts:
                (x1, y1), (x2, y2) = np.floor(part[:2]).astype(int), np.ceil(part[2:]).astype(int)
                open_pixels += int((~mask[y1:y2, x1:x2]).sum())
            if open_pixels:
                found.append((truth.thing, frame.index, open_pixels))
    return found


def excess(shown: Shown) -> float:
    """Median over the frames with objects of covered pixels by true pixels."""
    ratios = []
    for frame, truths, boxes in shown:
        true = sum(float((p[2:] - p[:2]).prod()) for truth in truths for p in truth.parts)
        if true:
            ratios.append(masks(frame, boxes).sum() / true)
    return float(np.median(ratios))


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize(
    ("fps", "width", "height"), [(25, 640, 360), (30, 1280, 720), (60, 640, 360)]
)
def test_eight_perfect_looks_a_second_leave_nothing_open(
    name: str, fps: int, width: int, height: int
) -> None:
    shown = run(Clip(name, fps=fps, width=width, height=height), PerfectDetector(8))
    assert sum(len(truths) for _, truths, _ in shown) > 10
    assert leaks(shown) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", SINGLE)
def test_missing_three_looks_in_ten_leaves_nothing_open(name: str, seed: int) -> None:
    clip = Clip(name, fps=30, seed=seed)
    detector = PerfectDetector(8, miss=0.3, seed=seed)
    shown = run(clip, detector)
    visible = np.bincount([t.thing for _, truths, _ in shown for t in truths], minlength=9)
    due = {thing for thing in detector.found if visible[thing] >= 0.5 * clip.fps}
    assert due
    assert [leak for leak in leaks(shown) if leak[0] in due] == []


@pytest.mark.parametrize("miss", [0.0, 0.3])
def test_three_hundred_small_objects_leave_nothing_open(miss: float) -> None:
    detector = PerfectDetector(8, miss=miss, seed=1)
    shown = run(Clip("many"), detector)
    assert len(detector.found) == 300
    assert leaks(shown) == []


@pytest.mark.parametrize(
    ("name", "most"),
    [("pop_up", 1.8), ("leaving_edge", 1.8), ("cut", 1.8), ("shake", 2.0), ("pan", 2.0),
     ("growing", 2.2), ("fast_pass", 2.6)],
)  # fmt: skip
def test_little_more_than_the_objects_is_covered(name: str, most: float) -> None:
    assert excess(run(Clip(name), PerfectDetector(8))) <= most


def test_no_track_lives_on_after_a_cut() -> None:
    shown = run(Clip("cut", fps=30), PerfectDetector(8))
    scenes = [set(), set(), set()]  # type: list[set[int]]
    for frame, _, boxes in shown:
        scenes[sum(frame.time_ns >= cut for cut in (700_000_000, 1_300_000_000))] |= set(
            boxes.track.tolist()
        )
    assert all(scenes)
    assert not scenes[0] & scenes[1]
    assert not scenes[1] & scenes[2]


def test_frames_before_the_first_detection_are_called_rescued() -> None:
    shown = run(Clip("pop_up", fps=30), PerfectDetector(8))
    truly = [frame.index for frame, truths, _ in shown if truths]
    rescued = [frame.index for frame, _, boxes in shown if boxes.rescued.any()]
    looked = 15  # the first tick at or after 0.5 s; the object appears on frame 13
    assert truly[0] == 13
    assert set(range(13, looked)) <= set(rescued)
    assert max(rescued) < looked
