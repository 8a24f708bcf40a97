"""Which pixels to hide: float boxes grown outward to whole, even pixels inside the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.boxes import FloatArray, IntArray

MARGIN = 0.15
MIN_MARGIN_PX = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """The boxes to hide in one frame of `width` x `height` pixels.

    xyxy: (K, 4) int32 left, top, right, bottom (exclusive), even, inside the frame, never empty;
    track, label: (K,) int32; score: (K,) float32. Label -1 says that the whole frame is hidden
    because a box could not be understood.
    """

    xyxy: IntArray
    track: IntArray
    label: IntArray
    score: FloatArray
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.xyxy)

    @classmethod
    def nothing(cls, width: int, height: int) -> Cover:
        none = np.zeros(0, np.int32)
        return cls(np.zeros((0, 4), np.int32), none, none, np.zeros(0, np.float32), width, height)


def cover_from(
    xyxy: FloatArray,
    track: IntArray,
    label: IntArray,
    score: FloatArray,
    *,
    width: int,
    height: int,
    margin: float = MARGIN,
) -> Cover:
    """Grow boxes (K, 4), in frame pixels, by `margin` of their size on each side (at least 4 px).

    A mask scale of 1.3 is a margin of 0.15. Corners may come in either order; boxes wholly outside
    the frame vanish; a box that is not finite hides the whole frame.
    """
    boxes = np.asarray(xyxy, np.float64).reshape(-1, 4)
    finite = np.asarray(np.isfinite(boxes).all(axis=1))
    boxes = np.where(finite[:, None], boxes, np.array([0.0, 0.0, width, height]))
    low = np.minimum(boxes[:, :2], boxes[:, 2:])
    high = np.maximum(boxes[:, :2], boxes[:, 2:])
    grow = np.maximum((high - low) * margin, MIN_MARGIN_PX)
    limit = np.array([width, height], np.float64)
    low = np.floor(np.clip(low - grow, 0.0, limit) / 2) * 2
    high = np.minimum(np.ceil(np.clip(high + grow, 0.0, limit) / 2) * 2, limit)
    seen = np.asarray((high > low).all(axis=1))
    return Cover(
        np.concatenate([low, high], axis=1)[seen].astype(np.int32),
        np.asarray(track, np.int32)[seen],
        np.where(finite, label, -1).astype(np.int32)[seen],
        np.asarray(score, np.float32)[seen],
        width,
        height,
    )
