"""Every box that a look found, as one table sorted by track and time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS

EDGE_SHARE = 0.008  # a box this near the picture's edge (share of its longer side) is cut by it
LONGEST = (3.0, 1.5)  # width by height and height by width of the longest things to hide

Boxes = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Rows sorted by (track, time_ns), one at most for each pair.

    uid: (N,) a number of its own for each row; xyxy: (N, 4) float64 frame pixels, as found;
    strong: (N,) whether the score passed its class's strong threshold; shot: (N,) between cuts.
    """

    uid: Ints
    track: Ints
    time_ns: Ints
    xyxy: Boxes
    score: NDArray[np.float32]
    label: Ints
    strong: Bools
    shot: Ints

    @classmethod
    def empty(cls) -> Self:
        none = np.zeros(0, np.int64)
        no_score, no_flag = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        return cls(none, none, none, np.zeros((0, 4)), no_score, none, no_flag, none)

    def __len__(self) -> int:
        return len(self.uid)

    def take(self, rows: Ints | Bools) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    def plus(self, more: Self) -> Self:
        """Both tables in one; of two rows of a track at one time, the hull and the better score."""
        both = type(self)(
            *(np.concatenate([getattr(self, f.name), getattr(more, f.name)]) for f in fields(self))
        )
        both = both.take(np.lexsort((-both.score, both.time_ns, both.track)))
        new = np.ones(len(both), np.bool_)
        new[1:] = (np.diff(both.track) != 0) | (np.diff(both.time_ns) != 0)
        if new.all():
            return both
        heads = np.flatnonzero(new)
        both.xyxy[heads, :2] = np.minimum.reduceat(both.xyxy[:, :2], heads)
        both.xyxy[heads, 2:] = np.maximum.reduceat(both.xyxy[:, 2:], heads)
        return both.take(heads)

    def named_like(self, other: Self) -> Self:
        """The same rows; one that `other` has too (same time, same box) keeps its uid from there,
        and tracks keep their ids as far as that leaves no two alike."""
        known = dict(zip(other._keys(), range(len(other)), strict=True))
        uid, renamed = self.uid.copy(), dict[int, int]()
        for row, key in enumerate(self._keys()):
            theirs = known.pop(key, None)
            if theirs is None:
                continue
            uid[row] = other.uid[theirs]
            its_id = int(other.track[theirs])
            if its_id not in renamed.values():
                renamed.setdefault(int(self.track[row]), its_id)
        track = np.array([renamed.get(int(own), int(own)) for own in self.track], np.int64)
        named = replace(self, uid=uid, track=track)
        return named.take(np.lexsort((named.time_ns, named.track)))

    def _keys(self) -> list[tuple[float, ...]]:
        return [(int(at), *box) for at, box in zip(self.time_ns, self.xyxy.tolist(), strict=True)]

    def heads(self) -> Ints:
        """The first row of each track."""
        if not len(self):
            return np.zeros(0, np.int64)
        return np.flatnonzero(np.concatenate([[True], np.diff(self.track) != 0]))

    def backed(self, window_ns: int) -> Self:
        """Only rows that are strong or have a strong row of their track within `window_ns`."""
        if self.strong.all():
            return self
        rows = np.arange(len(self))
        before = np.maximum.accumulate(np.where(self.strong, rows, -1))
        after = np.minimum.accumulate(np.where(self.strong, rows, len(self))[::-1])[::-1]
        near = self.strong.copy()
        for other in (before, after):
            there = np.clip(other, 0, len(self) - 1)
            close = np.abs(self.time_ns[there] - self.time_ns) <= window_ns
            near |= (there == other) & (self.track[there] == self.track) & close
        return self.take(near)


def touching(xyxy: Boxes, size: tuple[int, int]) -> Bools:
    """(N, 4): which sides (left, top, right, bottom) of the boxes lie at the picture's edge."""
    width, height = size
    near = EDGE_SHARE * max(width, height)
    low = xyxy[:, :2] <= near
    high = xyxy[:, 2:] >= np.array([width, height]) - near
    return np.concatenate([low, high], axis=1)


def completed(table: Sightings, heads: Ints, size: tuple[int, int]) -> Boxes:
    """The boxes with the part behind the picture's edge put back: (N, 4) float64, past the edge.

    A side at the edge moves outward until the box has the largest width or height that its track
    had, so that entering and leaving objects move like whole ones. Where every sighting of a track
    was cut, that is at least what the longest things have.
    """
    whole = table.xyxy.copy()
    if not len(table):
        return whole
    at_edge = touching(whole, size)
    lengths = np.diff(np.append(heads, len(table)))
    extent = whole[:, 2:] - whole[:, :2]
    largest = np.repeat(np.maximum.reduceat(extent, heads), lengths, axis=0)
    low, high = at_edge[:, :2], at_edge[:, 2:]
    never_whole = np.repeat(np.logical_and.reduceat(low | high, heads), lengths, axis=0)
    longest = np.maximum(largest, largest[:, ::-1] * LONGEST)
    largest = np.where(never_whole, longest, largest)
    whole[:, :2] = np.where(
        low & ~high, np.minimum(whole[:, :2], whole[:, 2:] - largest), whole[:, :2]
    )
    whole[:, 2:] = np.where(
        high & ~low, np.maximum(whole[:, 2:], table.xyxy[:, :2] + largest), whole[:, 2:]
    )
    return whole


def majority_label(table: Sightings, heads: Ints) -> NDArray[np.int32]:
    """Each track's label: the one with the largest sum of scores."""
    votes = np.zeros((len(table), len(LABELS)), np.float32)
    votes[np.arange(len(table)), table.label] = table.score
    return np.asarray(np.add.reduceat(votes, heads).argmax(axis=1), np.int32)
