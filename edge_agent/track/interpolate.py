"""Where a box was between and beyond the moments at which it was seen: arrays of many tracks.

All boxes are (N, 4) float64 in one steady coordinate frame; all times are seconds, (N,), relative
to the moment asked for. Whatever is uncertain makes the box larger, never smaller.
"""

from __future__ import annotations

import numpy as np

from edge_agent.track.associate import Floats
from edge_agent.track.sightings import Bools, Boxes

SPEEDING = 1.5  # what comes nearer grows ever faster
FARTHEST_ASTRAY = 0.75  # of its size: beside the way between two sightings
LARGEST_SWELL = np.log(2.2)
OUTWARD = np.array([-1.0, -1.0, 1.0, 1.0])


def hull(a: Boxes, b: Boxes) -> Boxes:
    return np.concatenate([np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])], axis=1)


def grow(boxes: Boxes, margin: Floats) -> Boxes:
    """Every side outward by its box's margin (N,)."""
    return np.asarray(boxes + OUTWARD * margin[:, None], np.float64)


def centre(boxes: Boxes) -> Boxes:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float64)


def scale(boxes: Boxes) -> Floats:
    """Side of the square of equal area, at least 4."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(np.sqrt(np.maximum(area, 16.0)), np.float64)


def rate(near: Boxes, far: Boxes, near_time: Floats, far_time: Floats, known: Bools) -> Boxes:
    """Pixels per second of each side between two sightings; 0 where the second is not known."""
    span = near_time - far_time
    usable = known & (np.abs(span) > 0.02)
    safe = np.where(usable, span, 1.0)
    return np.asarray(np.where(usable[:, None], (near - far) / safe[:, None], 0.0), np.float64)


def between(
    boxes: tuple[Boxes, Boxes, Boxes, Boxes],
    times: tuple[Floats, Floats, Floats, Floats],
    has_before: Bools,
    has_after: Bools,
) -> Boxes:
    """The box now, from the sightings before the last, last, next and after the next.

    A side that moves ever faster or ever slower runs between the chord of its gap and the
    neighbouring chords prolonged (the secant bound of a convex function): the outermost counts.
    This also covers a sudden stop or start anywhere within the gap.
    """
    first, left, right, last = boxes
    since, until = -times[1], times[2]
    gap = np.maximum(since + until, 1e-6)
    share = (since / gap)[:, None]
    chord = left + (right - left) * share
    into = left + rate(left, first, times[1], times[0], has_before) * since[:, None]
    out = right - rate(right, last, times[2], times[3], has_after) * until[:, None]
    into_out = np.where(has_before[:, None], into * OUTWARD, np.inf)
    out_out = np.where(has_after[:, None], out * OUTWARD, np.inf)
    bound = np.minimum(into_out, out_out)
    bound = np.where(np.isfinite(bound), bound, -np.inf)
    room = 0.5 * scale(chord)[:, None] + 0.25 * np.abs(right - left)
    outer = np.clip(bound, chord * OUTWARD, chord * OUTWARD + room)
    moved = np.linalg.norm(centre(right) - centre(left), axis=1)
    alone = np.where(has_before | has_after, 0.02, 0.12)
    hump = 4 * share[:, 0] * (1 - share[:, 0]) * np.maximum(gap / 0.1, 0.5)
    size = scale(chord)
    astray = np.minimum(hump * alone * moved, FARTHEST_ASTRAY * size + 0.12 * moved)
    return grow(outer * OUTWARD, hump * 0.015 * size + astray)


def beyond(
    near: Boxes, second: Boxes, near_time: Floats, second_time: Floats, has_second: Bools
) -> tuple[Boxes, Floats]:
    """The box now, before the first sighting or after the last one, and the margin it needs.

    near is the sighting next to the moment, second the one behind it. The returned box is centred
    on the extrapolated centre and never smaller than the nearest sighting.
    """
    gone = -near_time
    span = np.where(near_time > second_time, 1, -1) * np.maximum(abs(near_time - second_time), 0.02)
    speed = rate(near, second, near_time, second_time, has_second)
    middle = centre(near) + centre(speed) * gone[:, None]
    extent = near[:, 2:] - near[:, :2]
    before = np.maximum(second[:, 2:] - second[:, :2], 1.0)
    swell = np.log(np.maximum(extent, 1.0) / before) / np.where(has_second, span, np.inf)[:, None]
    half = extent * np.exp(np.clip(SPEEDING * swell * gone[:, None], 0.0, LARGEST_SWELL)) / 2
    size, away = scale(near), np.abs(gone)
    pace = np.linalg.norm(centre(speed), axis=1)
    unsure = np.where(has_second, 0.35 * size + 0.15 * pace, 1.0 * size)
    margin = np.minimum(away * unsure, 0.75 * size + 0.1 * pace * away)
    return np.concatenate([middle - half, middle + half], axis=1), margin
