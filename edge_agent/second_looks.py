"""Second looks: parts of the picture at native resolution, in turn, where small objects hide."""

from __future__ import annotations

import numpy as np

from edge_agent.boxes import Detections
from edge_agent.detect.detector import Region

TILE_WIDTH, TILE_HEIGHT = 640, 360
OVERLAP = 0.15
WORTH_IT = 1.25
CUT_PX = 3.0
SCARCE_PER_SECOND = 1.0


def tiles(width: int, height: int) -> list[Region]:
    """Even-aligned regions of about the detector's native size that cover the frame, overlapping.

    Empty when the whole frame already fits the detector's input nearly one to one.
    """
    tile_width, tile_height = (
        (TILE_WIDTH, TILE_HEIGHT) if width >= height else (TILE_HEIGHT, TILE_WIDTH)
    )
    if width < WORTH_IT * tile_width and height < WORTH_IT * tile_height:
        return []
    return [
        Region(x, y, min(x + tile_width, width), min(y + tile_height, height))
        for y in _starts(height, tile_height)
        for x in _starts(width, tile_width)
    ]


def _starts(length: int, tile: int) -> list[int]:
    if length <= tile:
        return [0]
    steps = -(-(length - tile) // int(tile * (1 - OVERLAP)))
    return [(length - tile) * i // steps // 2 * 2 for i in range(steps + 1)]


def uncut(found: Detections, tile: Region, width: int, height: int) -> Detections:
    """Leave out boxes that the tile's inner edge cuts: they show only a part of their object, which
    another tile or a look at the whole picture sees better."""
    inner = np.array([tile.x1 > 0, tile.y1 > 0, tile.x2 < width, tile.y2 < height], np.bool_)
    low = found.xyxy[:, :2] <= np.array([tile.x1, tile.y1]) + CUT_PX
    high = found.xyxy[:, 2:] >= np.array([tile.x2, tile.y2]) - CUT_PX
    keep = ~(np.concatenate([low, high], axis=1) & inner).any(axis=1)
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])


class SecondLooks:
    """Says when a second look is due, and at which tile: each in turn, `per_second` at most, and
    `SCARCE_PER_SECOND` when the CPU has nothing to spare."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._last_ns: int | None = None
        self._turn = 0
        self._size = (0, 0)
        self._tiles: list[Region] = []

    def due(self, width: int, height: int, time_ns: int, *, spare: bool) -> Region | None:
        """The tile to look at in a frame of this size and stream time, if it is time for one."""
        rate = self.per_second if spare else min(self.per_second, SCARCE_PER_SECOND)
        if rate <= 0:
            return None
        if (width, height) != self._size:
            self._size, self._tiles = (width, height), tiles(width, height)
        waited = self._last_ns is None or not 0 <= time_ns - self._last_ns < 1e9 / rate
        if not self._tiles or not waited:
            return None
        self._last_ns = time_ns
        self._turn = (self._turn + 1) % len(self._tiles)
        return self._tiles[self._turn]
