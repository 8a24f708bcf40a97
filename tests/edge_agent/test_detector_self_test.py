from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.boxes import LABELS, Detections
from edge_agent.detect import self_test as module
from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.self_test import self_test
from edge_agent.errors import DetectError, ModelError


def test_the_default_model_passes() -> None:
    scores = self_test(load_card(find_model()))
    assert set(scores) == set(LABELS)
    assert all(0 < score <= 1 for score in scores.values())


def test_a_model_that_misses_a_sample_is_named_with_what_it_misses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def plates_only(_: OnnxDetector, picture: np.ndarray) -> Detections:
        height, width = picture.shape[:2]
        middle = np.array([[width / 2 - 50, height / 2 - 12, width / 2 + 50, height / 2 + 12]])
        return Detections(middle.astype(np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))

    card = load_card(find_model())
    monkeypatch.setattr(OnnxDetector, "look_rgb", plates_only)
    with pytest.raises(ModelError, match="does not see an ID card or a shipping label"):
        self_test(card)


def test_a_model_that_stops_answering_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_card(find_model())
    detector = OnnxDetector(card)

    def blind(_: OnnxDetector, __: np.ndarray) -> Detections:
        raise DetectError("it is blind")

    monkeypatch.setattr(module, "OnnxDetector", lambda _: detector)
    monkeypatch.setattr(OnnxDetector, "look_rgb", blind)
    with pytest.raises(ModelError, match="self-test: it is blind"):
        self_test(card)


def test_a_missing_sample_is_a_broken_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "ASSETS", tmp_path)
    with pytest.raises(ModelError, match=r"plate\.png is missing"):
        self_test(load_card(find_model()))
