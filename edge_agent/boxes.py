"""Boxes as arrays: what a look found, and the geometry that every stage shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LABELS = ("license_plate", "id_card", "shipping_label")

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What one look found. Empty means that the detector ran, proved itself alive and saw nothing.

    xyxy: (N, 4) float32, left, top, right, bottom in pixels of the frame (also past its edge);
    score: (N,) float32 in 0..1; label: (N,) int32, an index into `LABELS`.
    """

    xyxy: FloatArray
    score: FloatArray
    label: IntArray

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        if self.xyxy.shape != (n, 4) or self.score.shape != (n,) or self.label.shape != (n,):
            shapes = (self.xyxy.shape, self.score.shape, self.label.shape)
            raise ValueError(f"expected shapes (N, 4), (N,), (N,); got {shapes}")

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


def iou_matrix(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4): (N, M)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    areas_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    union = areas_a[:, None] + areas_b[None, :] - inner
    return np.asarray(inner / np.maximum(union, 1e-9), np.float32)
