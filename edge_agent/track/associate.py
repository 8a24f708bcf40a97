"""Which detection continues which track."""

from __future__ import annotations

import lap
import numpy as np
from numpy.typing import NDArray

from edge_agent.track.sightings import Bools, Boxes, Ints, touching

LARGEST_RATIO = 3.0  # of widths or heights, unless the picture's edge cuts one of the two boxes
IMPOSSIBLE = 1e4

Floats = NDArray[np.float64]


def nearest_gap(a: Boxes, b: Boxes, axis: int) -> Floats:
    """(N, M): the least of the distances between centres, low sides and high sides along an axis.

    Sides count because a box that an edge or a pillar cuts off keeps only one of its sides.
    """
    low = np.abs(a[:, None, axis] - b[None, :, axis])
    high = np.abs(a[:, None, axis + 2] - b[None, :, axis + 2])
    centre = np.abs((a[:, axis] + a[:, axis + 2])[:, None] - (b[:, axis] + b[:, axis + 2])) / 2
    return np.asarray(np.minimum(np.minimum(low, high), centre) + 0.05 * centre, np.float64)


def hidden(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """(N, 2): whether the picture's edge cuts a box's width, its height."""
    sides = touching(boxes, size)
    return np.asarray(sides[:, :2] | sides[:, 2:], np.bool_)


def match(
    expected: Boxes,
    reach: Floats,
    doubt: Floats,
    found: Boxes,
    size: tuple[int, int],
    *,
    rivals: int,
) -> tuple[Ints, Ints]:
    """Pair tracks with detections at the least total cost; who finds no partner is left out.

    expected: (T, 4) where each track should be now; reach: (T,) how far off it may be, in pixels;
    doubt: (T,) added cost; found: (N, 4); size: of the frame. Who could
    pair with more than `rivals` others stays alone: two tracks are safer than a wrong one.
    Returns the matched rows of both, as equally long arrays.
    """
    if not len(expected) or not len(found):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    distance = np.hypot(nearest_gap(expected, found, 0), nearest_gap(expected, found, 1))
    possible = distance <= reach[:, None]
    cut, found_cut = hidden(expected, size), hidden(found, size)
    unlike = np.broadcast_to(doubt[:, None], distance.shape).copy()
    for axis in (0, 1):
        of_track = np.log(np.maximum(expected[:, axis + 2] - expected[:, axis], 1.0))
        of_found = np.log(np.maximum(found[:, axis + 2] - found[:, axis], 1.0))
        ratio = np.abs(of_track[:, None] - of_found[None, :])
        ratio[cut[:, axis][:, None] | found_cut[:, axis][None, :]] = 0.0
        possible &= ratio <= np.log(LARGEST_RATIO)
        unlike += 0.5 * ratio
    scale = np.sqrt(np.maximum((expected[:, 2:] - expected[:, :2]).prod(axis=1), 16.0))
    possible &= (possible.sum(axis=0) <= rivals) & (possible.sum(axis=1) <= rivals)[:, None]
    if not possible.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    cost = np.where(possible, distance / scale[:, None] + unlike, IMPOSSIBLE)
    _, partner, _ = lap.lapjv(cost, extend_cost=True, cost_limit=IMPOSSIBLE / 2)
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows].astype(np.int64)
