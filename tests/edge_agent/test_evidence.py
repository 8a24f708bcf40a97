"""What a look saw can be judged again under other thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.evidence import FLOOR, NEVER, strong_thresholds, weak_thresholds
from edge_agent.detect.onnx_detector import OnnxDetector
from tests.faults.street import PLATE_HEIGHT, PLATE_TOP, picture


@pytest.fixture(scope="module")
def detector() -> OnnxDetector:
    return OnnxDetector(load_card(find_model()))


def test_under_the_cards_thresholds_it_says_what_the_look_said(detector: OnnxDetector) -> None:
    found = detector.look_rgb(picture(20))
    again = found.evidence.under(found.evidence.own)
    assert len(found)
    assert np.allclose(found.xyxy, again.xyxy, atol=0.1)
    assert np.allclose(found.score, again.score, atol=1e-6)
    assert found.label.tolist() == again.label.tolist()


def test_it_knows_what_the_look_did_not_report(detector: OnnxDetector) -> None:
    found = detector.look_rgb(picture(20))
    lowest = found.evidence.under(np.full(3, 2 * FLOOR, np.float32))
    assert len(lowest) > len(found)
    assert lowest.score.min() >= FLOOR - 1e-6


def test_a_class_that_is_off_is_not_found_and_hides_no_other(detector: OnnxDetector) -> None:
    found = detector.look_rgb(picture(20))
    middle = PLATE_TOP + PLATE_HEIGHT / 2
    assert any(y1 < middle < y2 for _, y1, _, y2 in found.xyxy[found.label == 0])
    off = found.evidence.under(np.array([NEVER, 0.2, 0.2], np.float32))
    assert not (off.label == 0).any()


def test_the_tracer_is_no_evidence(detector: OnnxDetector) -> None:
    grey = np.full((360, 640, 3), 114, np.uint8)
    for _ in range(6):
        boxes = detector.look_rgb(grey).evidence.xyxy
        assert not (boxes[:, 1::2].mean(axis=1) > 360).any()


def test_thresholds_are_the_owners_or_the_models() -> None:
    own = np.array([0.3, 0.4, 0.5], np.float32)
    strong = strong_thresholds(own, (0.2, None, NEVER))
    assert np.allclose(strong, [0.2, 0.4, NEVER])
    assert np.allclose(weak_thresholds(strong), [0.1, 0.2, NEVER])
