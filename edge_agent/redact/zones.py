"""Polygons fixed in the picture: always hidden, or never looked at."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import Detections

Polygon = tuple[tuple[float, float], ...]
Polygons = tuple[Polygon, ...]
Mask = NDArray[np.bool_]
Coordinates = NDArray[np.floating]

_SUBPIXEL_BITS = 4


@lru_cache(maxsize=32)
def zone_mask(polygon: Polygon, width: int, height: int) -> Mask:
    """Every 2x2 pixel cell that the polygon touches, and a rim of one cell: (H/2, W/2), read-only.

    Corners are fractions 0..1 of the frame's width and height; they may lie outside it.
    """
    size = np.array([width // 2, height // 2])
    corners = np.clip(np.array(polygon, np.float64), -4.0, 5.0) * size - 0.5
    fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    mask = np.zeros((height // 2, width // 2), np.uint8)
    cv2.fillPoly(mask, [fixed], 1, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(np.bool_)
    grown.flags.writeable = False
    return grown


def drop_ignored(found: Detections, ignored: Polygons, width: int, height: int) -> Detections:
    """Leave out detections whose centre lies in one of the polygons (fractions of the frame)."""
    if not ignored or not len(found):
        return found
    x = (found.xyxy[:, 0] + found.xyxy[:, 2]) / (2 * width)
    y = (found.xyxy[:, 1] + found.xyxy[:, 3]) / (2 * height)
    keep = np.ones(len(found), np.bool_)
    for polygon in ignored:
        keep &= ~_inside(x, y, np.array(polygon, np.float64))
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])


def _inside(x: Coordinates, y: Coordinates, corners: Coordinates) -> Mask:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    start, end = corners, np.roll(corners, -1, axis=0)
    spans = (start[:, 1] > y[:, None]) != (end[:, 1] > y[:, None])
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossing = start[:, 0] + (y[:, None] - start[:, 1]) * (end[:, 0] - start[:, 0]) / rise
    return np.asarray((spans & (x[:, None] < crossing)).sum(axis=1) % 2 == 1)
