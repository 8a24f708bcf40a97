"""The colours around hidden boxes: the only thing that a mosaic may learn from the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import FloatArray, IntArray
from edge_agent.frame import Plane

GRID = 6
MID_GREY = 128.0

_PER_SIDE = 12
_DEPTHS = (1, 3)


def _ring_points() -> tuple[FloatArray, NDArray[np.int64]]:
    """Where a unit box is sampled: (S, 2) positions on its outline and (S, 2) steps outward."""
    along = (np.arange(_PER_SIDE, dtype=np.float32) + 0.5) / _PER_SIDE
    position, outward = [], []
    for depth in _DEPTHS:
        for axis, edge in ((0, 0), (0, 1), (1, 0), (1, 1)):
            point = np.full((_PER_SIDE, 2), float(edge), np.float32)
            point[:, 1 - axis] = along
            step = np.zeros((_PER_SIDE, 2), np.int64)
            step[:, axis] = depth if edge else -depth
            position.append(point)
            outward.append(step)
    return np.concatenate(position), np.concatenate(outward)


def _blend_weights(position: FloatArray) -> FloatArray:
    """Inverse squared distance from each sample to each cell of a GRID x GRID box: (S, GRID**2)."""
    centre = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    cells = np.stack(np.meshgrid(centre, centre), axis=-1).reshape(-1, 2)
    squared = ((position[:, None] - cells[None]) ** 2).sum(axis=2)
    return np.asarray(1.0 / (squared + 0.01), np.float32)


_POSITION, _OUTWARD = _ring_points()
_WEIGHTS = _blend_weights(_POSITION)
_NOTHING = np.empty((0, 0), np.float32)  # the summand that a plain product does not have


def ring_colours(
    planes: tuple[Plane, Plane, Plane], xyxy: IntArray, hidden: Plane
) -> NDArray[np.float32]:
    """Blend the visible pixels around each box across it: (K, GRID, GRID, 3), Y, U, V in 0..255.

    xyxy: (K, 4) even boxes in luma pixels; hidden: (H/2, W/2), not 0 where anything is covered.
    Samples that are hidden or outside the frame have no say; with none left a box is mid grey.
    """
    samples, trusted = _samples(planes, xyxy, hidden)
    # cv2.gemm stays in this thread; NumPy's product would wake a pool for a few thousand numbers.
    total = cv2.gemm(trusted, _WEIGHTS, 1.0, _NOTHING, 0.0)
    blended = np.stack([cv2.gemm(channel, _WEIGHTS, 1.0, _NOTHING, 0.0) for channel in samples])
    colours = np.where(total > 0, blended / np.maximum(total, 1e-6), MID_GREY)
    return np.asarray(np.moveaxis(colours, 0, -1).reshape(-1, GRID, GRID, 3), np.float32)


def ring_means(
    planes: tuple[Plane, Plane, Plane], xyxy: IntArray, hidden: Plane
) -> NDArray[np.float32]:
    """One colour a box instead of a grid, for crowds: (K, 3), otherwise as `ring_colours`."""
    samples, trusted = _samples(planes, xyxy, hidden)
    total = trusted.sum(axis=1)
    means = np.where(total > 0, samples.sum(axis=2) / np.maximum(total, 1), MID_GREY)
    return np.asarray(means.T, np.float32)


def _samples(
    planes: tuple[Plane, Plane, Plane], xyxy: IntArray, hidden: Plane
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The pixels around each box, (3, K, S), 0 where they are not trusted, and (K, S) trust."""
    height, width = hidden.shape
    half = xyxy >> 1
    # The last cell inside stands for the far edge, so that one step outward leaves the box.
    span = half[:, None, 2:] - half[:, None, :2] - 1
    points = half[:, None, :2] + np.round(span * _POSITION).astype(np.int64) + _OUTWARD
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    trusted = (inside & (hidden[y, x] == 0)).astype(np.float32)
    luma, u, v = planes
    samples = np.stack([luma[2 * y, 2 * x], u[y, x], v[y, x]]).astype(np.float32) * trusted
    return samples, trusted
