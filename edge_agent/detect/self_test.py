"""Shows a model one rendered plate, card and label: one that misses any of them is not used."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS, iou_matrix
from edge_agent.detect.card import ModelCard
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.errors import DetectError, ModelError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
SAMPLES = {
    "license_plate": "plate.png",
    "id_card": "id_card.png",
    "shipping_label": "shipping_label.png",
}

_PLAIN_NAMES = {
    "license_plate": "a license plate",
    "id_card": "an ID card",
    "shipping_label": "a shipping label",
}
_WIDTH, _HEIGHT = 640, 360
# Heights in pixels, small and large: seeing a sample at one of them is enough.
_SHOWN_AT = {"license_plate": (24, 44), "id_card": (80, 130), "shipping_label": (90, 150)}
_SAME_PLACE = 0.4


def self_test(card: ModelCard) -> dict[str, float]:
    """The score at which each sample is hidden, by label; any class may be the one that hides it.

    Raises ModelError when the model does not load, does not answer or misses a sample.
    """
    detector = OnnxDetector(card)
    try:
        scores = {label: _score(detector, label) for label in LABELS}
    except DetectError as problem:
        raise ModelError(f"{card.name} failed its self-test: {problem}") from problem
    finally:
        detector.close()
    missed = [_PLAIN_NAMES[label] for label in LABELS if not scores[label]]
    if missed:
        raise ModelError(
            f"{card.name} failed its self-test: it does not see {' or '.join(missed)}; "
            "install another version of the model"
        )
    return scores


def _score(detector: OnnxDetector, label: str) -> float:
    """The best score of a box over the sample of this label; 0 when there is none."""
    best = 0.0
    for height in _SHOWN_AT[label]:
        picture, place = _scene(label, height)
        found = detector.look_rgb(picture)
        over = np.flatnonzero(iou_matrix(found.xyxy, place)[:, 0] >= _SAME_PLACE)
        best = max(best, float(found.score[over].max(initial=0.0)))
    return best


def _scene(label: str, height: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A plain wall with one sample in the middle, and the sample's box (1, 4)."""
    path = ASSETS / SAMPLES[label]
    sample = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if sample is None:
        raise ModelError(f"{path.name} is missing from the package: install it again")
    width = round(sample.shape[1] * height / sample.shape[0])
    sample = cv2.resize(sample, (width, height), interpolation=cv2.INTER_AREA)
    light = np.linspace(90, 150, _HEIGHT, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(light, (_HEIGHT, _WIDTH, 3)).astype(np.uint8)
    x, y = (_WIDTH - width) // 2, (_HEIGHT - height) // 2
    picture[y : y + height, x : x + width] = sample
    return picture, np.array([[x, y, x + width, y + height]], np.float32)
