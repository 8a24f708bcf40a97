from __future__ import annotations

import numpy as np
import pytest

from edge_agent.boxes import Detections, FloatArray, iou_matrix
from edge_agent.detect.heads import anchors, decode, suppress
from edge_agent.errors import DetectError

SIZE = (640, 384)
COUNT = len(anchors(*SIZE)[0])
THRESHOLDS = np.array([0.4, 0.2, 0.2], np.float32)
Raw = tuple[FloatArray, FloatArray]


def silent() -> Raw:
    return np.full((1, COUNT, 3), -9, np.float32), np.zeros((1, COUNT, 4), np.float32)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def test_anchors_follow_the_order_of_the_outputs() -> None:
    centres, strides = anchors(*SIZE)
    assert COUNT == 80 * 48 + 40 * 24 + 20 * 12
    assert centres[0].tolist() == [4, 4]
    assert centres[81].tolist() == [12, 12]
    assert (centres[80 * 48].tolist(), strides[80 * 48, 0]) == ([8, 8], 16)
    assert (centres[-1].tolist(), strides[-1, 0]) == ([624, 368], 32)


def test_a_box_is_decoded_in_units_of_its_stride() -> None:
    scores, boxes = silent()
    anchor = 80 * 48 + 3 * 40 + 5  # stride 16, row 3, column 5
    scores[0, anchor] = (logit(0.9), -9, -9)
    boxes[0, anchor] = (0.25, -0.5, np.log(4), np.log(2))
    found = decode(scores, boxes, SIZE, THRESHOLDS, 0.55)
    x, y = (5 + 0.5 + 0.25) * 16, (3 + 0.5 - 0.5) * 16
    assert np.allclose(found.xyxy, [[x - 32, y - 16, x + 32, y + 16]], atol=1e-3)
    assert found.score == pytest.approx([0.9], abs=1e-5)
    assert found.label.tolist() == [0]


def test_each_class_has_its_own_threshold_and_may_be_off() -> None:
    scores, boxes = silent()
    for anchor, label in ((100, 0), (900, 1), (2000, 2)):
        scores[0, anchor, label] = logit(0.3)
    assert decode(scores, boxes, SIZE, THRESHOLDS, 0.55).label.tolist() == [1, 2]
    off = np.array([0.1, 2.0, 0.2], np.float32)
    assert sorted(decode(scores, boxes, SIZE, off, 0.55).label) == [0, 2]


def test_wild_sizes_are_clipped() -> None:
    scores, boxes = silent()
    scores[0, 500, 2] = 500.0
    boxes[0, 500, 2:] = (80.0, -80.0)
    found = decode(scores, boxes, SIZE, THRESHOLDS, 0.55)
    assert np.isfinite(found.xyxy).all()
    assert found.score.tolist() == [1.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_values_that_are_no_numbers_fail_the_look(value: float, where: int) -> None:
    raw = silent()
    raw[where][0, 1234, 1] = value
    with pytest.raises(DetectError, match="no numbers"):
        decode(*raw, SIZE, THRESHOLDS, 0.55)


def test_outputs_of_another_shape_fail_the_look() -> None:
    scores, boxes = silent()
    with pytest.raises(DetectError, match="shapes"):
        decode(scores[:, :-1], boxes, SIZE, THRESHOLDS, 0.55)


def test_doubles_go_over_all_classes_and_the_best_stays() -> None:
    found = Detections(
        np.array([[10, 10, 50, 30], [12, 10, 52, 30], [80, 80, 90, 90]], np.float32),
        np.array([0.5, 0.8, 0.3], np.float32),
        np.array([0, 2, 1], np.int32),
    )
    kept = suppress(found, 0.55)
    assert kept.label.tolist() == [2, 1]
    assert len(suppress(Detections.empty(), 0.55)) == 0


def test_a_crowd_keeps_every_object_once() -> None:
    rng = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(20) * 30.0, np.arange(20) * 18.0)
    objects = np.stack([x, y, x + 20, y + 10], axis=-1).reshape(-1, 4)
    doubles = objects.repeat(6, axis=0) + rng.uniform(-0.5, 0.5, (2400, 4))
    found = Detections(
        doubles.astype(np.float32),
        rng.uniform(0.3, 1, 2400).astype(np.float32),
        np.zeros(2400, np.int32),
    )
    kept = suppress(found, 0.55)
    assert len(kept) == len(objects)
    assert (iou_matrix(objects.astype(np.float32), kept.xyxy).max(axis=1) > 0.8).all()


def test_a_flood_of_candidates_is_survived() -> None:
    scores, boxes = silent()
    scores[:] = np.random.default_rng(5).uniform(1, 4, scores.shape)
    found = decode(scores, boxes, SIZE, THRESHOLDS, 0.55)
    assert len(found) >= 1000
