"""What to hide at one moment: between sightings, before the first and after the last."""

from __future__ import annotations

import numpy as np

from edge_agent.track.follow import FOLLOWS, Fate, Follower
from edge_agent.track.interpolate import centre, grow, hull, rate, scale
from edge_agent.track.layers import Layers
from edge_agent.track.moment import Moment
from edge_agent.track.sightings import Bools, Boxes, Ints, touching

FOLLOW_SLACK = 0.004  # of the picture's width: a thumbnail pixel and a little more
SWELLING = 1.0  # of the logarithm of its size, a second
AMBLE = 0.25  # of its size: what moved less between two looks needs no following between them


def place(moment: Moment, follower: Follower) -> tuple[Ints, Boxes]:
    """All boxes to hide: (K,) rows of `moment`, (K, 4) float64 frame pixels, margins included."""
    outside = moment.outside
    boxes = moment.inside_boxes(moment.steady)
    if moment.panned:
        boxes = hull(boxes, moment.inside_boxes(moment.plain))
    half = np.maximum(extent(moment.plain[1]), extent(moment.plain[2])) / 2
    if not outside.any():
        layers = Layers(boxes, ~outside)
        add_followed(layers, moment, follower, half)
        return layers.all()

    steady, margin = moment.outside_boxes(moment.steady)
    plain, _ = moment.outside_boxes(moment.plain)
    prolonged = grow(hull(steady, plain), margin)
    covered = ~outside | moment.sure | crossing(steady, moment.size)
    layers = Layers(np.where(outside[:, None], prolonged, boxes), covered)

    # whose speed is not known may have stood still before the camera near its sighting
    unknown = ~np.where(moment.has[1], moment.has[0], moment.has[3])
    standing = np.flatnonzero(outside & moment.sure & unknown)
    layers.add(standing, grow(moment.nearest(moment.steady), margin)[standing])

    half = np.where(outside[:, None], extent(steady) / 2, half)
    blind = add_followed(layers, moment, follower, half)
    layers.add(blind, prolonged[blind])
    return layers.all()


def extent(boxes: Boxes) -> Boxes:
    return np.asarray(boxes[:, 2:] - boxes[:, :2], np.float64)


def crossing(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """Boxes on their way through the picture's edge: some of them in, some at or past it."""
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < np.array(size)).all(axis=1)
    return np.asarray(inside & touching(boxes, size).any(axis=1), np.bool_)


def add_followed(layers: Layers, moment: Moment, follower: Follower, half: Boxes) -> Ints:
    """Add where the pixels went, as boxes of half extents `half` (M, 2).

    Returns the rows that nobody could follow for certain, where only that could have been excuse
    not to cover them where they were heading.
    """
    half = half + FOLLOW_SLACK * moment.size[0]
    strayed = np.linalg.norm(centre(moment.steady[2]) - centre(moment.steady[1]), axis=1)
    missed = moment.skipped & (strayed > AMBLE * scale(moment.steady[1]))
    if not (missed | moment.outside).any():
        return np.zeros(0, np.int64)
    urgent = moment.outside.astype(int) + (moment.outside & ~moment.sure)
    order = np.lexsort((-half.prod(axis=1), -urgent))
    blind = []
    left = FOLLOWS
    for side in (1, 2):
        wanted = np.where(moment.outside, moment.has[side], missed)
        speed, known = along(moment, side)
        fickle = swelling(moment, side)
        for row in order[wanted[order]]:
            fate = Fate.BLIND
            if left > 0:
                left -= 1
                sighting = moment.rows[side][row]
                fate, moved = follower.follow(
                    int(moment.lines.table.uid[sighting]),
                    moment.plain[side][row],
                    int(moment.lines.table.time_ns[sighting]),
                    moment.time_ns,
                    speed[row] if known[row] else None,
                )
            if fate is Fate.SEEN:
                middle = centre(moment.plain[side][row : row + 1]) + moved
                boxes = np.concatenate([middle - half[row], middle + half[row]], axis=1)
                layers.add(np.array([row]), boxes)
            untraced = fate is Fate.BLIND or fickle[row]
            if untraced and moment.outside[row] and not moment.sure[row]:
                blind.append(row)
    return np.array(blind, np.int64)


def along(moment: Moment, side: int) -> tuple[Boxes, Bools]:
    """Speed (M, 2) in pixels per second on the far side of the last (1) or next (2) sighting, and
    whether it is known."""
    other = 0 if side == 1 else 3
    near, far = moment.steady[side], moment.steady[other]
    known = moment.has[other]
    return centre(rate(near, far, moment.seconds[side], moment.seconds[other], known)), known


def swelling(moment: Moment, side: int) -> Bools:
    """Whether the size changes too fast there for the pixels to be found again. (M,)"""
    other = 0 if side == 1 else 3
    ratio = np.log(scale(moment.plain[side]) / scale(moment.plain[other]))
    span = np.maximum(np.abs(moment.seconds[side] - moment.seconds[other]), 0.02)
    return np.asarray(np.abs(ratio) / span > SWELLING, np.bool_)
