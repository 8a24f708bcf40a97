"""What to hide at a few moments: between sightings, before the first and after the last."""

from __future__ import annotations

import numpy as np

from edge_agent.track.follow import Fate, Follower
from edge_agent.track.interpolate import centre, grow, hull, rate, scale
from edge_agent.track.layers import Layers
from edge_agent.track.moments import Moments
from edge_agent.track.sightings import Bools, Boxes, Ints, touching

FOLLOW_SLACK = 0.004  # of the picture's width: a thumbnail pixel and a little more
SWELLING = 1.0  # of the logarithm of its size, a second
AMBLE = 0.25  # of its size: what moved less between two looks needs no following between them


def place(moments: Moments, follower: Follower) -> tuple[Ints, Boxes]:
    """All boxes to hide: (K,) rows of `moments`, (K, 4) float64 frame pixels, margins included."""
    outside = moments.outside
    boxes = moments.inside_boxes(moments.steady)
    if moments.panned:
        boxes = hull(boxes, moments.inside_boxes(moments.plain))
    half = np.maximum(extent(moments.plain[1]), extent(moments.plain[2])) / 2
    if not outside.any():
        layers = Layers(boxes, ~outside)
        add_followed(layers, moments, follower, half)
        return layers.all()

    steady, margin = moments.outside_boxes(moments.steady)
    plain, _ = moments.outside_boxes(moments.plain)
    prolonged = grow(hull(steady, plain), margin)
    covered = ~outside | moments.sure | crossing(steady, moments.size)
    layers = Layers(np.where(outside[:, None], prolonged, boxes), covered)

    # whose speed is not known may have stood still before the camera near its sighting
    unknown = ~np.where(moments.has[1], moments.has[0], moments.has[3])
    standing = np.flatnonzero(outside & moments.sure & unknown)
    layers.add(standing, grow(moments.nearest(moments.steady), margin)[standing])

    half = np.where(outside[:, None], extent(steady) / 2, half)
    blind = add_followed(layers, moments, follower, half)
    layers.add(blind, prolonged[blind])
    return layers.all()


def extent(boxes: Boxes) -> Boxes:
    return np.asarray(boxes[:, 2:] - boxes[:, :2], np.float64)


def crossing(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """Boxes on their way through the picture's edge: some of them in, some at or past it."""
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < np.array(size)).all(axis=1)
    return np.asarray(inside & touching(boxes, size).any(axis=1), np.bool_)


def add_followed(layers: Layers, moments: Moments, follower: Follower, half: Boxes) -> Ints:
    """Add where the pixels went, as boxes of half extents `half` (M, 2).

    Returns the rows that nobody could follow for certain, where only that could have been excuse
    not to cover them where they were heading.
    """
    half = half + FOLLOW_SLACK * moments.size[0]
    strayed = np.linalg.norm(centre(moments.steady[2]) - centre(moments.steady[1]), axis=1)
    missed = moments.skipped & (strayed > AMBLE * scale(moments.steady[1]))
    if not (missed | moments.outside).any():
        return np.zeros(0, np.int64)
    urgent = moments.outside.astype(int) + (moments.outside & ~moments.sure)
    order = np.lexsort((-half.prod(axis=1), -urgent, moments.frame))
    courses = [(side, *along(moments, side), swelling(moments, side)) for side in (1, 2)]
    wanted = [np.where(moments.outside, moments.has[side], missed) for side in (1, 2)]
    blind = []
    for frame in np.unique(moments.frame[wanted[0] | wanted[1]]):
        mine = order[moments.frame[order] == frame]
        follower.begin_frame()
        for (side, speed, known, fickle), asked in zip(courses, wanted, strict=True):
            for row in mine[asked[mine]]:
                sighting = moments.rows[side][row]
                fate, moved = follower.follow(
                    int(moments.lines.table.uid[sighting]),
                    moments.plain[side][row],
                    int(moments.lines.table.time_ns[sighting]),
                    int(moments.time_ns[row]),
                    speed[row] if known[row] else None,
                )
                if fate is Fate.SEEN:
                    middle = centre(moments.plain[side][row : row + 1]) + moved
                    boxes = np.concatenate([middle - half[row], middle + half[row]], axis=1)
                    layers.add(np.array([row]), boxes)
                untraced = fate is Fate.BLIND or fickle[row]
                if untraced and moments.outside[row] and not moments.sure[row]:
                    blind.append(row)
    return np.array(blind, np.int64)


def along(moments: Moments, side: int) -> tuple[Boxes, Bools]:
    """Speed (M, 2) in pixels per second on the far side of the last (1) or next (2) sighting, and
    whether it is known."""
    other = 0 if side == 1 else 3
    near, far = moments.steady[side], moments.steady[other]
    known = moments.has[other]
    return centre(rate(near, far, moments.seconds[side], moments.seconds[other], known)), known


def swelling(moments: Moments, side: int) -> Bools:
    """Whether the size changes too fast there for the pixels to be found again. (M,)"""
    other = 0 if side == 1 else 3
    ratio = np.log(scale(moments.plain[side]) / scale(moments.plain[other]))
    span = np.maximum(np.abs(moments.seconds[side] - moments.seconds[other]), 0.02)
    return np.asarray(np.abs(ratio) / span > SWELLING, np.bool_)
