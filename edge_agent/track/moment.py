"""The tracks that matter at one time, and the sightings around it."""

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


class Moment:
    """The M tracks that may be visible at one time.

    rows: table rows of the sightings before the last, last, next, after the next. `outside` tracks
    have no last or no next one. sure: no look at the whole picture lies between the moment and the
    nearest sighting; skipped: such a look between last and next missed the object. steady boxes are
    moved to where they would be now had they stood still before the camera; plain ones are not.
    panned: whether that makes any difference.
    """

    def __init__(
        self, lines: Lines, reel: Reel, looks: list[int], time_ns: int, reach_ns: tuple[int, int]
    ) -> None:
        table = lines.table
        rows, has = around(lines, time_ns)
        last_ns, next_ns = table.time_ns[rows[1]], table.time_ns[rows[2]]
        times = np.array([-FAR, *looks, FAR], np.int64)
        look_after = times[np.searchsorted(times, last_ns, side="right")]
        look_before = times[np.searchsorted(times, next_ns, side="left") - 1]
        ended, unborn = ~has[2], ~has[1]
        sure = (ended & (time_ns <= look_after)) | (unborn & (time_ns >= look_before))
        age = np.where(ended, time_ns - last_ns, np.where(unborn, next_ns - time_ns, 0))
        within = age <= np.where(unborn, reach_ns[0], reach_ns[1])
        wanted = (table.shot[lines.heads] == reel.shot(time_ns)) & (sure | within)
        self.lines, self.time_ns, self.size = lines, time_ns, reel.size
        self.track = np.flatnonzero(wanted)
        self.rows = each(rows, lambda row: row[wanted])
        self.has = (has[0][wanted], has[1][wanted], has[2][wanted], has[3][wanted])
        self.sure = sure[wanted]
        self.outside = (ended | unborn)[wanted]
        self.skipped = ((look_after < next_ns) & ~ended & ~unborn)[wanted]
        self.seconds = each(self.rows, lambda row: (table.time_ns[row] - time_ns) / 1e9)
        seen_ns = each(self.rows, lambda row: table.time_ns[row])
        camera = reel.offsets(np.concatenate([*seen_ns, np.array([time_ns])]))
        shift = np.tile(camera[-1] - camera[:-1], 2).reshape(4, len(self.track), 4)
        self.panned = bool((np.abs(shift) > 0.5).any())
        self.plain = each(self.rows, lambda row: lines.whole[row])
        p = self.plain
        self.steady = (p[0] + shift[0], p[1] + shift[1], p[2] + shift[2], p[3] + shift[3])

    def __len__(self) -> int:
        return len(self.track)

    def nearest(self, boxes: Four) -> Boxes:
        """The sighting next to the moment, for outside tracks."""
        return np.asarray(np.where(self.has[1][:, None], boxes[1], boxes[2]), np.float64)

    def inside_boxes(self, boxes: Four) -> Boxes:
        """Between last and next sighting; means nothing for outside tracks."""
        return between(boxes, self.seconds, self.has[0], self.has[3])

    def outside_boxes(self, boxes: Four) -> tuple[Boxes, Floats]:
        """Prolonged beyond the nearest sighting, and the margin; for outside tracks only."""
        ended = self.has[1]
        second = np.where(ended[:, None], boxes[0], boxes[3])
        near_time = np.where(ended, self.seconds[1], self.seconds[2])
        second_time = np.where(ended, self.seconds[0], self.seconds[3])
        has_second = np.where(ended, self.has[0], self.has[3])
        return beyond(self.nearest(boxes), second, near_time, second_time, has_second)
