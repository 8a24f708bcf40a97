"""Where the live tracks should be at the time of a look, and how far off they may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.track.associate import Floats
from edge_agent.track.interpolate import centre, rate
from edge_agent.track.motion import Reel
from edge_agent.track.sightings import Boxes, Ints, Sightings, completed

LONGEST_GAP_NS = 1_000_000_000  # what was not seen for longer is another object
FASTEST = 2.7  # picture widths per second that an object may move whose speed is not known yet
SPURT = 0.25  # picture widths per second that a known speed may be wrong
NEAR = 0.6  # of its longer side: so near to where it should be there is little doubt
ANYONE = 1_000_000
FEW = 3  # in a crowd a far match is chance
NEW = 0.3  # cost of a track seen once or twice: its speed may come from a wrong pair


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Live tracks (T,) and where they are: moving, still: (T, 4) frame pixels, if they kept their
    speed and if they stood still before the camera; near, drifted, far: (T,) pixels that these may
    be off; doubt: (T,) added cost."""

    track: Ints
    moving: Boxes
    still: Boxes
    near: Floats
    drifted: Floats
    far: Floats
    doubt: Floats

    def tries(self) -> tuple[tuple[Boxes, Floats, int], ...]:
        """Boxes, reach and rivals to match with, the most certain first."""
        return (
            (self.moving, self.drifted, ANYONE),
            (self.still, self.near, ANYONE),
            (self.moving, self.far, FEW),
        )


def expect(table: Sightings, reel: Reel, time_ns: int) -> Expected:
    """What to look for at a time, from each track's last two sightings in the same shot."""
    heads = table.heads()
    last = np.append(heads[1:], len(table))[: len(heads)] - 1
    live = (table.shot[last] == reel.shot(time_ns)) & (
        table.time_ns[last] >= time_ns - LONGEST_GAP_NS
    )
    heads, last = heads[live], last[live]
    before = np.maximum(last - 1, heads)
    known = before < last
    whole = completed(table, table.heads(), reel.size)
    times = np.concatenate([table.time_ns[last], table.time_ns[before], [time_ns]])
    camera = np.tile(reel.offsets(times), 2)
    still = whole[last] + camera[-1] - camera[: len(last)]
    earlier = whole[before] + camera[-1] - camera[len(last) : -1]
    since, before_s = (times[:-1].reshape(2, -1) - time_ns) / 1e9
    speed = centre(rate(still, earlier, since, before_s, known))
    width, height = reel.size
    limit = [width, height, width, height]
    pace, away = np.linalg.norm(speed, axis=1), np.abs(since)
    near = NEAR * (whole[last, 2:] - whole[last, :2]).max(axis=1, initial=0.0)
    return Expected(
        track=table.track[last],
        moving=np.clip(still - np.tile(speed, 2) * since[:, None], 0, limit),
        still=np.clip(still, 0, limit),
        near=near,
        drifted=near + 0.25 * pace * away,
        far=1.3 * near + away * np.where(known, 0.5 * pace + SPURT * width, FASTEST * width),
        doubt=np.where(last - heads < 2, NEW, 0.0),
    )
