"""The tracks that matter at a few times, and the sightings around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from edge_agent.track.associate import Floats
from edge_agent.track.interpolate import between, beyond
from edge_agent.track.lines import Lines, around
from edge_agent.track.motion import Reel
from edge_agent.track.sightings import Boxes, Ints

FAR = int(np.iinfo(np.int64).max // 4)

T = TypeVar("T", Boxes, Floats, Ints)
Four = tuple[Boxes, Boxes, Boxes, Boxes]


def each(rows: tuple[Ints, Ints, Ints, Ints], get: Callable[[Ints], T]) -> tuple[T, T, T, T]:
    return get(rows[0]), get(rows[1]), get(rows[2]), get(rows[3])


class Moments:
    """The M appearances of tracks that may be visible at one of F times, in the order of these.

    frame, track: (M,) which of the times and of the tracks; time_ns: (M,) that time. rows: table
    rows of the sightings before the last, last, next, after the next. `outside` ones have no last
    or no next one. sure: no look at the whole picture lies between the time and the nearest
    sighting; skipped: such a look between last and next missed the object. steady boxes are
    moved to where they would be then had they stood still before the camera; plain ones are not.
    panned: whether that makes any difference.
    """

    def __init__(
        self, lines: Lines, reel: Reel, looks: list[int], times: Ints, reach_ns: tuple[int, int]
    ) -> None:
        table = lines.table
        frame = np.repeat(np.arange(len(times)), len(lines.heads))
        time_ns = times[frame]
        rows, has = around(lines, times)
        last_ns, next_ns = table.time_ns[rows[1]], table.time_ns[rows[2]]
        looked = np.array([-FAR, *looks, FAR], np.int64)
        look_after = looked[np.searchsorted(looked, last_ns, side="right")]
        look_before = looked[np.searchsorted(looked, next_ns, side="left") - 1]
        ended, unborn = ~has[2], ~has[1]
        sure = (ended & (time_ns <= look_after)) | (unborn & (time_ns >= look_before))
        age = np.where(ended, time_ns - last_ns, np.where(unborn, next_ns - time_ns, 0))
        within = age <= np.where(unborn, reach_ns[0], reach_ns[1])
        shot = np.array([reel.shot(int(when)) for when in times], np.int64)
        wanted = (np.tile(table.shot[lines.heads], len(times)) == shot[frame]) & (sure | within)
        self.lines, self.size = lines, reel.size
        self.frame, self.time_ns = frame[wanted], time_ns[wanted]
        self.track = np.flatnonzero(wanted) % max(len(lines.heads), 1)
        self.rows = each(rows, lambda row: row[wanted])
        self.has = (has[0][wanted], has[1][wanted], has[2][wanted], has[3][wanted])
        self.sure = sure[wanted]
        self.outside = (ended | unborn)[wanted]
        self.skipped = ((look_after < next_ns) & ~ended & ~unborn)[wanted]
        seen_ns = table.time_ns[np.concatenate(self.rows)].reshape(4, -1)
        seconds = (seen_ns - self.time_ns) / 1e9
        self.seconds = (seconds[0], seconds[1], seconds[2], seconds[3])
        camera = reel.offsets(np.concatenate([times, seen_ns.ravel()]))
        moved = camera[self.frame] - camera[len(times) :].reshape(4, len(self.track), 2)
        shift = np.tile(moved, 2)
        self.panned = bool((np.abs(shift) > 0.5).any())
        self.plain = each(self.rows, lambda row: lines.whole[row])
        p = self.plain
        self.steady = (p[0] + shift[0], p[1] + shift[1], p[2] + shift[2], p[3] + shift[3])

    def __len__(self) -> int:
        return len(self.track)

    def nearest(self, boxes: Four) -> Boxes:
        """The sighting next to the time, for outside ones."""
        return np.asarray(np.where(self.has[1][:, None], boxes[1], boxes[2]), np.float64)

    def inside_boxes(self, boxes: Four) -> Boxes:
        """Between last and next sighting; means nothing for outside ones."""
        return between(boxes, self.seconds, self.has[0], self.has[3])

    def outside_boxes(self, boxes: Four) -> tuple[Boxes, Floats]:
        """Prolonged beyond the nearest sighting, and the margin; for outside ones only."""
        ended = self.has[1]
        second = np.where(ended[:, None], boxes[0], boxes[3])
        near_time = np.where(ended, self.seconds[1], self.seconds[2])
        second_time = np.where(ended, self.seconds[0], self.seconds[3])
        has_second = np.where(ended, self.has[0], self.has[3])
        return beyond(self.nearest(boxes), second, near_time, second_time, has_second)
