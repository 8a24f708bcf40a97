"""Sightings that show only a part of what the sightings around them show: the rest is put back."""

from __future__ import annotations

import numpy as np

from edge_agent.track.associate import Floats
from edge_agent.track.interpolate import centre, hull
from edge_agent.track.layers import area
from edge_agent.track.sightings import Boxes, Ints

PART = 0.75  # of the area that its neighbours predict: a thing does not lose more at once...
PART_OF_ONE = 0.5  # ...or of its only neighbour's, which cannot tell growing
WITHIN = 0.7  # ...if so much of what is left lies where the whole should be
SPAN_S = 0.7  # of the time that it and its neighbours span, at most
NEIGHBOURS = ((-1, 1), (-2, 1), (-1, 2), (-2, -1), (1, 2))  # one or two parts in a row, or an end


def restored(steady: Boxes, seconds: Floats, heads: Ints, lengths: Ints) -> Boxes:
    """The boxes; those that show a part only, together with the whole that neighbours predict.

    steady: (N, 4) in one steady coordinate frame, sorted by track and time; seconds: (N,); heads,
    lengths: (T,) first row and number of rows of each track. Returns (N, 4), never smaller boxes.
    """
    sizes = area(steady)
    first, last = np.repeat(heads, lengths), np.repeat(heads + lengths - 1, lengths)
    rows = np.arange(len(steady))
    near = [np.clip(rows + step, first, last) for step in (-2, -1, 1, 2)]
    rows = np.flatnonzero(sizes < PART * np.maximum.reduce([sizes[row] for row in near]))
    if not len(rows):
        return steady
    whole = steady.copy()
    first, last = first[rows], last[rows]
    for back, ahead in NEIGHBOURS:
        a, b = rows + back, rows + ahead
        alone = (last - first == 1) & (back * ahead < 0)
        told = alone | ((a >= first) & (b <= last))
        a, b = np.clip(a, first, last), np.clip(b, first, last)
        a, b = np.where(alone & (a == rows), b, a), np.where(alone & (b == rows), a, b)
        there = predicted(steady, seconds, a, b, seconds[rows])
        latest, earliest = (
            np.maximum(seconds[b], seconds[rows]),
            np.minimum(seconds[a], seconds[rows]),
        )
        told &= latest - earliest <= SPAN_S
        told &= sizes[rows] < np.where(alone, PART_OF_ONE, PART) * area(there)
        told &= area(common(there, steady[rows])) > WITHIN * sizes[rows]
        whole[rows[told]] = hull(whole[rows[told]], there[told])
    return whole


def predicted(boxes: Boxes, seconds: Floats, a: Ints, b: Ints, when: Floats) -> Boxes:
    """(K, 4) where rows a and b (K,) say that the box is at a time: log-linear in its
    size, which is never larger than both."""
    span = seconds[b] - seconds[a]
    share = ((when - seconds[a]) / np.where(span > 0, span, np.inf))[:, None]
    middle = centre(boxes[a]) * (1 - share) + centre(boxes[b]) * share
    extent_a, extent_b = (np.maximum(boxes[r, 2:] - boxes[r, :2], 1.0) for r in (a, b))
    half = np.minimum(extent_a ** (1 - share) * extent_b**share, np.maximum(extent_a, extent_b)) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def common(a: Boxes, b: Boxes) -> Boxes:
    """(K, 4) what two boxes share; a box without area where they share nothing."""
    return np.concatenate([np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])], axis=1)
