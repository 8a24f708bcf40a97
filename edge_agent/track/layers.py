"""Several guesses where the same tracks are, folded into few boxes that cover them all."""

from __future__ import annotations

import numpy as np

from edge_agent.track.associate import Floats
from edge_agent.track.interpolate import hull
from edge_agent.track.sightings import Bools, Boxes, Ints

WASTE = 1.25  # one hull may be this much larger than its two boxes, else both stay


def area(boxes: Boxes) -> Floats:
    return np.asarray(np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1), np.float64)


class Layers:
    """Boxes to cover for M tracks: at most one main box each, and extra ones far from it."""

    def __init__(self, boxes: Boxes, covered: Bools) -> None:
        self._boxes = boxes.copy()
        self._covered = covered.copy()
        self._extra: list[tuple[Ints, Boxes]] = []

    def add(self, rows: Ints, boxes: Boxes) -> None:
        """Also cover `boxes` (K, 4) of the tracks `rows` (K,), each track at most once a call."""
        if not len(rows):
            return
        old = self._boxes[rows]
        fresh = ~self._covered[rows]
        both = hull(old, boxes)
        tight = area(both) <= WASTE * np.maximum(area(old), area(boxes)) + 0.25 * np.minimum(
            area(old), area(boxes)
        )
        self._boxes[rows] = np.where(fresh[:, None], boxes, np.where(tight[:, None], both, old))
        self._covered[rows] = True
        apart = ~fresh & ~tight
        self._extra.append((rows[apart], boxes[apart]))

    def all(self) -> tuple[Ints, Boxes]:
        """(K,) which track, (K, 4) boxes."""
        main = np.flatnonzero(self._covered)
        rows = np.concatenate([main, *(rows for rows, _ in self._extra)])
        boxes = np.concatenate([self._boxes[main], *(boxes for _, boxes in self._extra)])
        return rows, boxes
