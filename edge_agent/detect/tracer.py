"""Proof of life: a plate that every look must find at a place chosen for this look alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge_agent.boxes import LABELS, Detections, FloatArray, iou_matrix
from edge_agent.detect.letterbox import BAND
from edge_agent.errors import DetectError, ModelError

PLATE = LABELS.index("license_plate")
PICTURE = Path(__file__).with_name("tracer.png")
TRACER_SCORE = 0.2  # it counts as found from here on, whatever the user's threshold for plates is

_MOST_SLOTS = 6
_SLOT_PITCH = 96
_SAME_PLACE = 0.4


@lru_cache(maxsize=1)
def _picture() -> FloatArray:
    """The tracer as RGB 0..1: (3, h, w)."""
    picture = cv2.imread(str(PICTURE), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ModelError(f"{PICTURE.name} is missing from the package: install it again")
    return np.asarray(picture.transpose(2, 0, 1) / 255, np.float32)


def slots(width: int, height: int) -> FloatArray:
    """The places of the tracer in an input of this size: boxes (S, 4) in input pixels, S >= 2."""
    _, plate_height, plate_width = _picture().shape
    count = min(_MOST_SLOTS, width // _SLOT_PITCH)
    left = np.linspace(8, width - plate_width - 8, count).astype(int)
    top = np.full(count, height - BAND + (BAND - plate_height) // 2)
    return np.stack([left, top, left + plate_width, top + plate_height], axis=1).astype(np.float32)


class Tracer:
    """Chooses a place for each look, never the last one again, and checks the answer."""

    def __init__(self, seed: int = 0) -> None:
        self._draw = np.random.default_rng(seed)
        self._slot = 0

    def paste(self, tensor: FloatArray) -> int:
        """Put the tracer into the band of an input (1, 3, H, W); returns the chosen slot."""
        height, width = tensor.shape[2:]
        places = slots(width, height)
        self._slot = int(self._slot + self._draw.integers(1, len(places))) % len(places)
        x1, y1, x2, y2 = places[self._slot].astype(int)
        tensor[0, :, y1:y2, x1:x2] = _picture()
        return self._slot


def proved(found: Detections, slot: int, width: int, height: int) -> Detections:
    """What is left of an honest answer (boxes in input pixels) without the tracer's band.

    Raises DetectError unless a plate was found at this slot and none at any other.
    """
    places = slots(width, height)
    plates = found.xyxy[(found.label == PLATE) & (found.score >= TRACER_SCORE)]
    hit = np.asarray((iou_matrix(places, plates) >= _SAME_PLACE).any(axis=1))
    if not hit[slot]:
        raise DetectError("the detector did not find the tracer: it is blind or out of order")
    if hit.sum() > 1:
        raise DetectError("the detector found the tracer where it is not: a stale answer")
    middle = found.xyxy[:, 1::2].mean(axis=1)
    keep = np.flatnonzero(middle < height - BAND)
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])
