"""The cells of a mosaic over one box: how many, their noise, or the classic averages."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Plane

Planes = tuple[Plane, Plane, Plane]
Cells = NDArray[np.uint8]

CELLS_ACROSS = 5
MIN_CELL_PX = 8
MAX_CELLS = 32

_TABLE = 128
_SPREAD = (14.0, 3.0, 3.0)  # standard deviation on Y, U, V


@lru_cache(maxsize=8)
def noise_table(seed: int) -> NDArray[np.float32]:
    """The noise of one stream: (128, 128, 3), added to Y, U, V; boxes take a window each."""
    noise = np.random.default_rng(seed).normal(size=(_TABLE, _TABLE, 3))
    table = np.asarray(np.clip(noise, -2.0, 2.0) * np.array(_SPREAD), np.float32)
    table.flags.writeable = False
    return table


def grid(box: list[int]) -> tuple[int, int]:
    """Rows and columns of a luma box: five cells across its short side, none under 8 px."""
    width, height = box[2] - box[0], box[3] - box[1]
    short = min(width, height)
    cell = short / max(1, min(CELLS_ACROSS, short // MIN_CELL_PX))
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    return min(rows, MAX_CELLS), min(columns, MAX_CELLS)


def noisy(
    colours: NDArray[np.float32], noise: NDArray[np.float32], box: list[int], track: int
) -> Cells:
    """Spread a small colour grid (any size, Y, U, V) over the box's cells and roughen it.

    The noise depends on the track and the cell alone, so it stands still while the track lives.
    """
    rows, columns = grid(box)
    top = track * 37 % (_TABLE - MAX_CELLS)
    left = track * 61 % (_TABLE - MAX_CELLS)
    cells = cv2.resize(colours, (columns, rows), interpolation=cv2.INTER_LINEAR)
    rough = cells + noise[top : top + rows, left : left + columns]
    return np.asarray(np.clip(rough, 0, 255), np.uint8)


def averages(planes: Planes, box: list[int]) -> Cells:
    """The mean of what lies under each cell."""
    x1, y1, x2, y2 = box
    rows, columns = grid(box)
    rows, columns = min(rows, (y2 - y1) // 2), min(columns, (x2 - x1) // 2)
    means = []
    for plane, shift in zip(planes, (0, 1, 1), strict=True):
        part = plane[y1 >> shift : y2 >> shift, x1 >> shift : x2 >> shift]
        means.append(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.merge(means), np.uint8).reshape(rows, columns, 3)
