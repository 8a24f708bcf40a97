"""The life lines of all tracks: their sightings that count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.track.interpolate import centre, scale
from edge_agent.track.motion import Reel
from edge_agent.track.parts import restored
from edge_agent.track.sightings import Bools, Boxes, Ints, Sightings, completed, majority_label

LEAP = 0.6  # of its size: a longer step without a like one beside it is doubtful
LONG_LEAP = 1.2  # ...and a step as long as this with an unlike one on either side


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The sightings that count, with what is the same for a whole track, by track: (T,).

    whole: (N, 4) the sightings' boxes with the parts put back that the picture's edge hides or
    that a look did not find.
    """

    table: Sightings
    whole: Boxes
    heads: Ints
    lengths: Ints
    label: NDArray[np.int32]
    score: NDArray[np.float32]
    first_strong_ns: Ints

    @classmethod
    def of(cls, table: Sightings, heads: Ints, reel: Reel) -> Lines:
        """heads: the first row of each track, or of each piece of one."""
        none = np.zeros(0, np.int64)
        if not len(table):
            no_score = np.zeros(0, np.float32)
            return cls(table, table.xyxy, none, none, none.astype(np.int32), no_score, none)
        far = np.iinfo(np.int64).max
        lengths = np.diff(np.append(heads, len(table)))
        camera = np.tile(reel.offsets(table.time_ns), 2)
        steady = completed(table, heads, reel.size) - camera
        seconds = (table.time_ns - table.time_ns[0]) / 1e9
        return cls(
            table=table,
            whole=restored(steady, seconds, heads, lengths) + camera,
            heads=heads,
            lengths=lengths,
            label=majority_label(table, heads),
            score=np.maximum.reduceat(table.score, heads),
            first_strong_ns=np.minimum.reduceat(np.where(table.strong, table.time_ns, far), heads),
        )


def readings(table: Sightings, reel: Reel) -> list[Lines]:
    """How the tracks can be read: as they are, and, where a track leaps, as two things.

    The second reading holds only the tracks that leap. Whatever either says is to be hidden.
    """
    if not len(table):
        return []
    heads = table.heads()
    lines = Lines.of(table, heads, reel)
    leaps = leaping(lines, reel)
    if not leaps.any():
        return [lines]
    suspect = np.repeat(np.logical_or.reduceat(leaps, heads), lines.lengths)
    pieces = table.take(suspect)
    cuts = np.flatnonzero(leaps[suspect] | np.isin(np.arange(len(pieces)), pieces.heads()))
    return [lines, Lines.of(pieces, cuts, reel)]


def leaping(lines: Lines, reel: Reel) -> Bools:
    """(N,) whether a sighting and the one before it in its track might be two things: the step is
    long and the steps beside it are not alike."""
    table = lines.table
    steady = lines.whole - np.tile(reel.offsets(table.time_ns), 2)
    step = np.zeros((len(table), 2))
    step[1:] = np.diff(centre(steady), axis=0)
    span = np.ones(len(table))
    span[1:] = np.maximum(np.diff(table.time_ns) / 1e9, 1e-3)
    inner = np.ones(len(table), np.bool_)
    inner[lines.heads] = False
    length = np.linalg.norm(step, axis=1)
    alike, unlike = np.zeros(len(table), np.bool_), np.zeros(len(table), np.bool_)
    speed = step / span[:, None]
    for shift in (1, -1):
        other, known = np.roll(speed, shift, axis=0), np.roll(inner, shift)
        if shift == 1:
            known[lines.heads] = False
        else:
            known[lines.heads + lines.lengths - 1] = False
        off = np.linalg.norm(step - other * span[:, None], axis=1)
        alike |= known & (off <= 0.35 * length)
        unlike |= known & (off > 0.35 * length)
    size = np.minimum(scale(steady), np.roll(scale(steady), 1))
    long = length > np.where(alike, LONG_LEAP, LEAP) * size
    return np.asarray(inner & long & (unlike | ~alike), np.bool_)


def around(
    lines: Lines, times: Ints
) -> tuple[tuple[Ints, Ints, Ints, Ints], tuple[Bools, Bools, Bools, Bools]]:
    """Per time (F,) and track the rows of the sightings before the last, last, next and after the
    next: (F * T,) each, all tracks of the first time first.

    Last is at or before the time. The second four say whether there is such a sighting; where
    not, the row is that of its nearest neighbour in the track.
    """
    gone = (lines.table.time_ns <= times[:, None]).astype(np.int64)
    after = (lines.heads + np.add.reduceat(gone, lines.heads, axis=1)).ravel()
    first = np.tile(lines.heads, len(times))
    final = np.tile(lines.heads + lines.lengths - 1, len(times))
    at = [after + step for step in (-2, -1, 0, 1)]
    rows = [np.minimum(np.maximum(place, first), final) for place in at]
    has = [(place >= first) & (place <= final) for place in at]
    return (rows[0], rows[1], rows[2], rows[3]), (has[0], has[1], has[2], has[3])
