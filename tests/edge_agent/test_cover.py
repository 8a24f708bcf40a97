from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.boxes import Detections
from edge_agent.redact.cover import Cover, cover_from
from edge_agent.redact.zones import drop_ignored, zone_mask

WIDTH, HEIGHT = 320, 180


def cover(*boxes: tuple[float, float, float, float], margin: float = 0.08) -> Cover:
    n = len(boxes)
    return cover_from(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(n, dtype=np.int32),
        np.zeros(n, np.int32),
        np.ones(n, np.float32),
        width=WIDTH,
        height=HEIGHT,
        margin=margin,
    )


coordinate = st.floats(-2000, 2000, width=32)
corners = st.tuples(coordinate, coordinate, coordinate, coordinate)


@given(st.lists(corners, max_size=8))
def test_every_pixel_of_a_box_that_the_frame_shows_is_covered(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    result = cover(*boxes)
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for x1, y1, x2, y2 in result.xyxy:
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        covered[y1:y2, x1:x2] = True
    assert (result.xyxy % 2 == 0).all()
    for xa, ya, xb, yb in boxes:
        left, right = sorted((xa, xb))
        top, bottom = sorted((ya, yb))
        inside = covered[
            max(0, int(np.floor(top))) : max(0, int(np.ceil(bottom))),
            max(0, int(np.floor(left))) : max(0, int(np.ceil(right))),
        ]
        assert inside.all()


def test_tiny_and_odd_boxes_grow_by_at_least_four_pixels() -> None:
    assert cover((100, 50, 101, 51)).xyxy.tolist() == [[96, 46, 106, 56]]
    assert cover((11, 13, 20, 47)).xyxy.tolist() == [[6, 8, 24, 52]]


def test_a_mask_scale_of_1_3_grows_a_large_box_by_15_percent_a_side() -> None:
    assert cover((100, 50, 200, 150), margin=0.15).xyxy.tolist() == [[84, 34, 216, 166]]


def test_a_box_that_is_no_number_hides_the_whole_frame() -> None:
    result = cover((np.nan, 0, 10, 10), (0, 0, np.inf, 10))
    assert result.xyxy.tolist() == [[0, 0, WIDTH, HEIGHT]] * 2
    assert result.label.tolist() == [-1, -1]


def test_boxes_outside_the_frame_leave_the_others_in_place() -> None:
    result = cover((-90, -90, -50, -50), (100, 50, 120, 60), (5000, 0, 5010, 10))
    assert result.track.tolist() == [1]
    assert len(cover()) == 0


@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_every_cell_that_a_zone_touches_is_hidden(
    triangle: list[tuple[float, float]], mix: list[float]
) -> None:
    mask = zone_mask(tuple(triangle), WIDTH, HEIGHT)
    weights = np.array(mix) + 1e-3
    x, y = (weights / weights.sum()) @ np.array(triangle)
    if 0 <= x < 1 and 0 <= y < 1:
        assert mask[int(y * HEIGHT / 2), int(x * WIDTH / 2)]


def test_a_zone_hides_little_more_than_itself() -> None:
    mask = zone_mask(((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)), WIDTH, HEIGHT)
    assert mask[: HEIGHT // 8 - 3].sum() == 0
    assert mask.sum() < mask.size / 4 * 1.15


def test_detections_are_ignored_by_their_centre() -> None:
    found = Detections(
        np.array([[0, 0, 40, 40], [200, 100, 240, 120], [150, 0, 330, 90]], np.float32),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.array([0, 1, 2], np.int32),
    )
    right_half = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    kept = drop_ignored(found, (right_half,), WIDTH, HEIGHT)
    assert kept.label.tolist() == [0]
    assert len(drop_ignored(found, (), WIDTH, HEIGHT)) == 3
