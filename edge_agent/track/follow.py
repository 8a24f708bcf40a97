"""Following what a box shows from frame to frame, forwards or backwards, on thumbnails."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Plane
from edge_agent.track.motion import Reel, Still

FASTEST = 3.0  # picture widths per second that something unknown may move
SMALLEST = 5  # thumbnail pixels: less picture than this says nothing
LARGEST = (56, 40)  # of a template, in thumbnail pixels; the middle of a larger box will do
FEWEST = 72  # pixels of a template: where fewer match or not is chance
FLATTEST = 4.0  # grey levels of spread: a flatter patch matches anywhere
BETTER = 0.02  # correlation that a part must have more than the whole
SAME = 0.92  # correlation from which the template stays as it is
ALIKE = 0.65  # ...from which it is the same thing, where it was expected
ALIKE_ANYWHERE = (0.68, 0.8)  # ...anywhere near, for templates of MANY pixels and for smaller ones
MANY = 200
FOLLOWS = 24  # chains that one frame may ask for
STEPS = 120  # of them all together, for one frame

Point = NDArray[np.float64]


class Fate(Enum):
    SEEN = "seen"
    LOST = "lost"  # it is no longer where it could have gone
    BLIND = "blind"  # nobody could look: too flat, too small or too many at once


@dataclass(slots=True)
class Chain:
    """One patch on its way. `corner` is the template's left top in thumbnail pixels at still
    `number`; `moved[n]` is how far its centre went from the start until still n, frame pixels."""

    number: int
    template: Plane
    corner: Point
    speed: Point | None  # frame pixels per second, without the camera
    fate: Fate
    travelled: Point = field(default_factory=lambda: np.zeros(2))
    moved: dict[int, Point] = field(default_factory=dict)


def cut_out(thumb: Plane, xyxy: Point, scale: Point) -> tuple[Plane, Point]:
    """The middle of a box (frame pixels) as a patch of the thumbnail, and its left top corner."""
    height, width = thumb.shape
    limit = np.array([width, height])
    low = np.clip(np.floor(xyxy[:2] / scale), 0, limit)
    high = np.clip(np.ceil(xyxy[2:] / scale), 0, limit)
    over = np.maximum(high - low - np.array(LARGEST), 0)
    low, high = low + over // 2, high - (over - over // 2)
    short = np.maximum(SMALLEST - (high - low), 0)
    low = np.clip(low - short // 2, 0, np.maximum(limit - SMALLEST, 0)).astype(int)
    high = np.minimum(np.maximum(high, low + SMALLEST), limit).astype(int)
    return thumb[low[1] : high[1], low[0] : high[0]], low.astype(np.float64)


def visible(template: Plane, corner: Point, thumb: Plane) -> tuple[Plane, Point]:
    """The part of a template that lies inside the picture when its corner is put at `corner`."""
    height, width = thumb.shape
    at = np.rint(corner).astype(int)
    left, top = max(-at[0], 0), max(-at[1], 0)
    right, bottom = min(template.shape[1], width - at[0]), min(template.shape[0], height - at[1])
    part = template[top : max(bottom, top), left : max(right, left)]
    return part, np.array([left, top], np.float64)


def telling(part: Plane) -> bool:
    """Whether a patch shows enough to be found again."""
    return min(part.shape) >= SMALLEST - 1 and float(part.std()) >= FLATTEST


def inner_parts(
    template: Plane, corner: Point, radius: Point, thumb: Plane
) -> list[tuple[Plane, Point]]:
    """Where a template may be on its way through the picture's edge: its parts that still lie
    inside when it is `radius` farther out, half of it at least; each with its place in it."""
    parts = []
    for axis in (0, 1):
        size, at = template.shape[1 - axis], corner[axis]
        over = at + size - thumb.shape[1 - axis]
        for sign, hidden in ((1, -at), (-1, over)):
            gone = max(int(hidden), 0)
            cut = min(int(np.ceil(hidden + radius[axis])), gone + (size - gone) // 2)
            if 0 < cut < size:
                kept = slice(cut, None) if sign > 0 else slice(None, -cut)
                part = template[:, kept] if axis == 0 else template[kept]
                inset = np.zeros(2)
                inset[axis] = cut if sign > 0 else 0
                parts.append((part, inset))
    return [(part, inset) for part, inset in parts if part.size >= FEWEST and telling(part)]


def search(thumb: Plane, part: Plane, corner: Point, radius: Point) -> tuple[float, Point]:
    """Best normalised correlation of `part` within `radius` of `corner`, and the corner it has.

    Far matches must be a little better than near ones.
    """
    height, width = thumb.shape
    size, limit = np.array([part.shape[1], part.shape[0]]), np.array([width, height])
    low = np.clip(np.rint(corner - radius).astype(int), 0, limit - size)
    high = np.clip(np.rint(corner + radius).astype(int) + size, low + size, limit)
    area = thumb[low[1] : high[1], low[0] : high[0]]
    scores = cv2.matchTemplate(area, part, cv2.TM_CCOEFF_NORMED)
    dy = (np.arange(scores.shape[0]) + low[1] - corner[1])[:, None] / radius[1]
    dx = (np.arange(scores.shape[1]) + low[0] - corner[0])[None, :] / radius[0]
    row, column = np.unravel_index(int(np.argmax(scores - 0.05 * (dx**2 + dy**2))), scores.shape)
    best = low + np.array([column, row])
    return float(scores[row, column]), best.astype(np.float64)


class Follower:
    """Chains by (sighting, direction). They are kept, so each frame costs one step a chain."""

    def __init__(self, reel: Reel) -> None:
        self._reel = reel
        self._chains: dict[tuple[int, int, bool], Chain] = {}
        self._steps = self._asked = 0

    def begin_frame(self) -> None:
        """What is asked next is about another frame."""
        self._steps, self._asked = STEPS, 0

    def forget_except(self, uids: set[int]) -> None:
        self._chains = {key: chain for key, chain in self._chains.items() if key[0] in uids}

    def clear(self) -> None:
        self._chains.clear()

    def follow(
        self, uid: int, xyxy: Point, start_ns: int, time_ns: int, speed: Point | None
    ) -> tuple[Fate, Point]:
        """Where the patch that sighting `uid` showed at `start_ns` has gone by `time_ns`.

        xyxy: (4,) frame pixels, may reach past the edge; speed: (2,) pixels per second without the
        camera, None where unknown. Returns its fate and how far it moved, in frame pixels.
        """
        self._asked += 1
        if self._asked > FOLLOWS:
            return Fate.BLIND, np.zeros(2)
        direction = 1 if time_ns >= start_ns else -1
        key = (uid, direction, speed is None)
        chain = self._chains.get(key)
        if chain is None:
            if self._steps <= 0:
                return Fate.BLIND, np.zeros(2)
            chain = self._chains[key] = self._start(xyxy, start_ns, speed)
        goal = self._reel.index(time_ns)
        while chain.fate is Fate.SEEN and chain.number != goal and self._steps > 0:
            if (goal - chain.number) * direction < 0:
                break
            self._steps -= 1
            self._step(chain, direction)
        if chain.fate is not Fate.BLIND and goal in chain.moved:
            return Fate.SEEN, chain.moved[goal]
        return (Fate.BLIND if chain.fate is Fate.SEEN else chain.fate), chain.travelled

    def _start(self, xyxy: Point, start_ns: int, speed: Point | None) -> Chain:
        number = self._reel.index(start_ns)
        still = self._reel.still(number)
        if still is None:
            return Chain(number, np.zeros((0, 0), np.uint8), np.zeros(2), speed, Fate.BLIND)
        patch, corner = cut_out(still.thumb, xyxy, self._scale(still))
        vague = patch.size < FEWEST or float(patch.std()) < FLATTEST
        chain = Chain(number, patch, corner, speed, Fate.BLIND if vague else Fate.SEEN)
        chain.moved[number] = np.zeros(2)
        return chain

    def _scale(self, still: Still) -> Point:
        return np.array(self._reel.size) / (still.thumb.shape[1], still.thumb.shape[0])

    def _step(self, chain: Chain, direction: int) -> None:
        before, after = self._reel.still(chain.number), self._reel.still(chain.number + direction)
        if before is None or after is None or before.shot != after.shot:
            chain.fate = Fate.BLIND
            return
        seconds = (after.time_ns - before.time_ns) / 1e9
        camera = np.array(self._reel.step(max(chain.number, chain.number + direction))) * direction
        scale = self._scale(after)
        drift = camera if chain.speed is None else camera + chain.speed * seconds
        prior = chain.corner + drift / scale
        farthest = FASTEST * self._reel.size[0] * abs(seconds)
        wide = np.array([farthest, 0.6 * farthest]) / scale + 2
        anywhere = ALIKE_ANYWHERE[chain.template.size < MANY]
        radius, least = wide, anywhere
        if chain.speed is not None:
            slack = 0.35 * np.abs(chain.speed) * abs(seconds) + 0.1 * np.abs(camera)
            radius = np.minimum(slack / scale, 24) + 3
            least = ALIKE
        part, inset = visible(chain.template, prior, after.thumb)
        score, found = 0.0, prior + inset
        if telling(part):
            score, found = search(after.thumb, part, prior + inset, radius)
            if score < least and part.shape == chain.template.shape and chain.speed is not None:
                least, radius = anywhere, wide
                score, found = search(after.thumb, part, prior, wide)
        if score < SAME:
            for inner, inner_inset in inner_parts(chain.template, prior, radius, after.thumb):
                again, there = search(after.thumb, inner, prior + inner_inset, radius)
                if again > max(score + BETTER, ALIKE_ANYWHERE[inner.size < MANY]):
                    score, found, part, inset = again, there, inner, inner_inset
        if score < least:
            if not part.size or part.shape == chain.template.shape:
                chain.fate = Fate.LOST
                return
            found = prior + inset  # on its way out of the picture: too little is left to find
        moved = (found - inset - chain.corner) * scale
        if score >= least:
            measured = (moved - camera) / seconds
            chain.speed = measured if chain.speed is None else 0.5 * (chain.speed + measured)
        chain.travelled = chain.travelled + moved
        chain.corner = found - inset
        chain.number += direction
        chain.moved[chain.number] = chain.travelled
        if least <= score < SAME and part.shape == chain.template.shape:
            x, y = found.astype(int)
            chain.template = after.thumb[y : y + part.shape[0], x : x + part.shape[1]]
